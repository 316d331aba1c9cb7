/** The protocol of the auditing power: what workflows ask of it, by remote activities on `rok-audit`. */
import type { RunId } from '../ids.js';
import type { VerdictStatus } from '../verdict.js';

export type CloseAnswer = {
  /** Null while the run is PENDING. */
  readonly status: VerdictStatus | null;
  readonly revision: number;
  readonly findings: number;
  readonly receipt: number | null;
};
export type SweepAnswer = {
  readonly judged: number;
  readonly complete: number;
  readonly incomplete: number;
  readonly stale: number;
  readonly signed: number;
};
/** A run past its deadline whose workflow Temporal may still run, or one to look for there. */
export type Overdue = { readonly run: RunId; readonly workflowId: string; readonly temporalRunId: string };
export type ReconcileAnswer = SweepAnswer & {
  readonly nudged: number;
  readonly closed: number;
  readonly strays: number;
};

export interface AuditActivities {
  /** Judge one run and sign what has no receipt. */
  'audit.close'(input: { readonly run: RunId }): Promise<CloseAnswer>;
  'audit.sweep'(input: Record<string, never>): Promise<SweepAnswer>;
  /** Signals `finalize_run` to runs past their deadline, and records those whose workflow is closed or gone. */
  'audit.signalOverdue'(input: Record<string, never>): Promise<{ readonly nudged: number; readonly closed: number }>;
  /** Enters executions of `governedRun` that have had no run row for two minutes. */
  'audit.findUnclaimed'(input: Record<string, never>): Promise<{ readonly strays: number }>;
  'audit.reverify'(input: Record<string, never>): Promise<{ readonly checked: number; readonly broken: number }>;
}
