/**
 * The little that the auditing power asks of Temporal: is it alive, please close, and which executions are there. An
 * interface only: Temporal's client is handed in by activities/.
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
