/** Named points at which a worker ends, and the whole truth about the run that this befell. */
import type { Revision } from './evidence.js';

export type CrashCase = {
  /** Which worker dies, and is not started again before the first verdict was seen. */
  readonly worker: 'control' | 'execute' | 'audit';
  readonly point: string;
  readonly agent: 'greeter' | 'stumbler';
  /** Right after the crash; of the audit worker's, when the run has ended. */
  readonly left: End & { readonly revisions: readonly Revision[] };
  readonly first: Revision;
  /** When all workers are back: the end, and the revision that then stands. */
  readonly end: End;
  readonly last: Omit<Revision, 'revision'>;
};
type End = { readonly phase: string; readonly outcome: string | null };

const missing = (promise: string): string => `MISSING ${promise}: not acknowledged by <time>`;
const late = (promise: string): string => `LATE ${promise}: due <time>, acknowledged <time>`;

const TRACE = 'logs/start_trace';
const POLICY = 'policies/evaluate_policy';
const INCIDENT = 'incidents/create_incident';
const FINAL = 'orchestrator/finalize_run';

const first = (status: Revision['status'], blocking: readonly string[]): Revision => ({
  revision: 1,
  status,
  blocking,
  notes: [],
  signed: true,
});
const complete = first('COMPLETE', []);
const succeeded = { phase: 'COMPLETED', outcome: 'succeeded' } as const;
const failed = { phase: 'FAILED', outcome: 'failed' } as const;
const executing = { phase: 'EXECUTING', outcome: null } as const;
const latched = { phase: 'FINALIZING', outcome: 'succeeded' } as const;
const forced = { phase: 'FAILED', outcome: 'forced' } as const;

/** STALE with what was missing; then repaired, with what came late, and not forgiven. */
function stale(point: string, left: End, blocking: readonly string[], end: End, notes: readonly string[]): CrashCase {
  return {
    worker: 'control',
    point,
    agent: 'greeter',
    left: { ...left, revisions: [] },
    first: first('STALE', blocking),
    end,
    last: { status: 'STALE', blocking: [late(FINAL), ...blocking], notes: notes.map(late), signed: true },
  };
}

/** The control worker dies; its run is STALE one sweep after it was due, unless it had said that it is final. */
export const CONTROL_CASES: readonly CrashCase[] = [
  // Before start_trace: the run was opened and never heard of again.
  stale(
    'decide.open.after',
    { phase: 'AUTHORIZED', outcome: null },
    [missing(TRACE), missing(FINAL), missing(POLICY), 'TRACE_BROKEN trace: no head'],
    forced,
    [INCIDENT, TRACE, POLICY],
  ),
  // Between start_trace and evaluate_policy: before and after the latch.
  stale('decide.latch.before', executing, [missing(FINAL), missing(POLICY)], forced, [INCIDENT, POLICY]),
  stale('decide.latch.after', latched, [missing(FINAL), missing(POLICY)], succeeded, [POLICY]),
  // Between evaluate_policy and finalize_run.
  stale('decide.finalize.before', latched, [missing(FINAL)], succeeded, []),
  // After finalize_run: nobody called the judge, and it judged all the same.
  {
    worker: 'control',
    point: 'decide.finalize.after',
    agent: 'greeter',
    left: { ...succeeded, revisions: [] },
    first: complete,
    end: succeeded,
    last: complete,
  },
];

const engineless = first('INCOMPLETE', [
  'MISMATCH outcome: failed, without an incident',
  missing(INCIDENT),
  missing(POLICY),
]);
const closing = { phase: 'FINALIZING', outcome: 'failed', revisions: [] } as const;
const executeCase = (point: string, verdict: Revision): CrashCase => ({
  worker: 'execute',
  point,
  agent: 'stumbler',
  left: closing,
  first: verdict,
  end: failed,
  last: verdict,
});

/** The execute worker dies in the close: the run is final in time and says what is not there. */
export const EXECUTE_CASES: readonly CrashCase[] = [
  // Between evaluate_policy and create_incident, which one transaction holds: neither is there.
  executeCase('close_out.evaluated', engineless),
  // Away when the close begins.
  executeCase('execute.close_out.before', engineless),
  // Both acks are there, though nobody heard of it.
  executeCase('execute.close_out.after', complete),
];

/** The audit worker dies between verdict and signature: the run ends without it, and is signed when it is back. */
export const AUDIT_CASES: readonly CrashCase[] = [
  {
    worker: 'audit',
    point: 'sign.before',
    agent: 'greeter',
    left: { ...succeeded, revisions: [{ ...complete, signed: false }] },
    first: complete,
    end: succeeded,
    last: complete,
  },
];
