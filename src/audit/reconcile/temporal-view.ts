/**
 * What the auditing power asks of Temporal: whether it is alive, to signal a run to close, and which executions there
 * are. An interface only: activities/temporal-view.ts implements it.
 */
import type { ExecutionStatus, Span } from './overdue-plan.js';
import type { Execution } from './unclaimed-executions.js';

export type ClosedExecution = {
  readonly workflowId: string;
  readonly temporalRunId: string;
  readonly status: ExecutionStatus;
};

export interface TemporalView {
  /** Without `temporalRunId`: the latest execution of that workflow id. */
  describe(
    workflowId: string,
    temporalRunId?: string,
  ): Promise<{ readonly status: ExecutionStatus; readonly temporalRunId: string | null }>;
  /** False when there is nobody to hear it. */
  signalFinalize(workflowId: string, temporalRunId: string, said: { readonly by: string }): Promise<boolean>;
  /** Executions that ought to open a run (domain/executions.ts), open and closed, that started within the span. */
  executions(span: Span): AsyncIterable<Execution>;
  /** Executions of governed runs that closed after this time, however they closed. */
  closedSince(after: Date): AsyncIterable<ClosedExecution>;
}
