/**
 * The metrics. Recording never throws and never waits: a metric may be dropped, evidence may not, so metrics share no
 * code with the trace. Labels are closed sets; any other value is counted as `other`.
 */
import { Counter, Gauge, Histogram, Registry } from 'prom-client';
import { INTENT_KINDS } from '../../domain/intent.js';
import { OUTCOMES } from '../../domain/phases.js';
import { VERDICT_STATUSES } from '../../domain/verdict.js';

const EFFECTS = ['allow', 'deny', 'pause'] as const;
const PATHS = ['in_full', 'by_itself'] as const;
const RESULTS = ['succeeded', 'failed', 'unknown'] as const;

export type Metrics = {
  runStarted(): void;
  runFinished(outcome: string): void;
  decided(what: {
    readonly effect: string;
    readonly kind: string;
    readonly path: string;
    readonly seconds: number;
  }): void;
  attempted(what: { readonly kind: string; readonly result: string }): void;
  spent(micros: bigint): void;
  holdsOpen(count: number): void;
  appended(events: number): void;
  judged(status: string, count: number): void;
  /** Runs past finalize_due that have no verdict yet. */
  overdue(count: number): void;
  setAside(count: number): void;
  /** Allowed acts whose assertion the audit has no key set to verify with. */
  approvalsUncheckable(count: number): void;
  /** Verdicts that the signer left, because the rows do not bear them out. */
  notBorneOut(count: number): void;
  reconciled(at: Date): void;
  /** The standing judge's last whole sweep. */
  swept(at: Date): void;
  /** Whether somebody paused the schedule of `reconcile`. */
  schedulePaused(paused: boolean): void;
  /** In the exposition format, for the metrics endpoint. */
  text(): Promise<string>;
  readonly contentType: string;
};

export function createMetrics(): Metrics {
  const registry = new Registry();
  const registers = [registry];
  const counter = <Label extends string>(name: string, help: string, labelNames: readonly Label[] = []) =>
    new Counter({ name, help, labelNames, registers });
  const gauge = (name: string, help: string) => new Gauge({ name, help, registers });

  const started = counter('rok_runs_started_total', 'Runs opened.');
  const finished = counter('rok_runs_finished_total', 'Runs that reached a terminal phase.', ['outcome']);
  const decisions = counter('rok_decisions_total', 'Decisions by effect and kind of intent.', ['effect', 'kind']);
  const decidePaths = counter('rok_decide_path_total', 'Steps decided, in full in one pass or by themselves.', [
    'path',
  ]);
  const decisionSeconds = new Histogram({
    name: 'rok_decision_duration_seconds',
    help: 'Time of one decision, transaction included.',
    buckets: [0.001, 0.002, 0.004, 0.008, 0.012, 0.025, 0.05, 0.1, 0.25, 1, 3],
    registers,
  });
  const attempts = counter('rok_attempts_total', 'Attempts by kind and result.', ['kind', 'result']);
  const spend = counter('rok_spend_micro_usd_total', 'Settled spend in millionths of a US dollar.');
  const holds = gauge('rok_holds_open', 'Holds that wait.');
  const appends = counter('rok_trace_events_appended_total', 'Trace events handed to the store.');
  const verdicts = counter('rok_verdicts_total', 'Verdict revisions by status.', ['status']);
  const aside = gauge('rok_runs_set_aside', 'Runs that could not be judged, tried again by themselves.');
  const overdue = gauge('rok_verdicts_overdue', 'Runs past finalize_due without a verdict.');
  const uncheckable = gauge(
    'rok_approvals_uncheckable',
    'Allowed acts that the audit has no key to verify, or not yet.',
  );
  const notBorneOut = gauge('rok_verdicts_not_borne_out', 'Verdicts that are not signed: their rows come to another.');
  const reconciled = gauge('rok_reconcile_last_success_timestamp_seconds', 'When reconciling last succeeded.');
  const swept = gauge('rok_standing_judge_last_success_timestamp_seconds', 'When the standing judge last swept.');
  const paused = gauge('rok_reconcile_schedule_paused', '1 while the schedule of reconcile is paused.');

  return {
    runStarted: () => quietly(() => started.inc()),
    runFinished: (outcome) => quietly(() => finished.inc({ outcome: known(OUTCOMES, outcome) })),
    decided: ({ effect, kind, path, seconds }) =>
      quietly(() => {
        decidePaths.inc({ path: known(PATHS, path) });
        decisions.inc({ effect: known(EFFECTS, effect), kind: known(INTENT_KINDS, kind) });
        decisionSeconds.observe(seconds);
      }),
    attempted: ({ kind, result }) =>
      quietly(() => attempts.inc({ kind: known(INTENT_KINDS, kind), result: known(RESULTS, result) })),
    spent: (micros) => quietly(() => spend.inc(Number(micros))),
    holdsOpen: (count) => quietly(() => holds.set(count)),
    appended: (events) => quietly(() => appends.inc(events)),
    judged: (status, count) => quietly(() => verdicts.inc({ status: known(VERDICT_STATUSES, status) }, count)),
    overdue: (count) => quietly(() => overdue.set(count)),
    setAside: (count) => quietly(() => aside.set(count)),
    approvalsUncheckable: (count) => quietly(() => uncheckable.set(count)),
    notBorneOut: (count) => quietly(() => notBorneOut.set(count)),
    reconciled: (at) => quietly(() => reconciled.set(at.getTime() / 1000)),
    swept: (at) => quietly(() => swept.set(at.getTime() / 1000)),
    schedulePaused: (is) => quietly(() => paused.set(is ? 1 : 0)),
    text: () => registry.metrics(),
    contentType: registry.contentType,
  };
}

const known = (words: readonly string[], word: string): string => (words.includes(word) ? word : 'other');

/** Whoever measures goes on whatever happens to the measurement. */
function quietly(record: () => void): void {
  try {
    record();
  } catch {
    // A number that is no number: dropped.
  }
}
