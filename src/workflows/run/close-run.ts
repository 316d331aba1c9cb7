/**
 * The close, in its fixed order, inside the grace. What the execute worker has to write is tried until only the time is left
 * that `decide.finalize` needs; what does not answer by then, or within its share, is skipped, and the gap is a finding.
 * `decide.finalize` has no limit: it is always reached. Only an execution that is not the run's history leaves sooner, at the
 * first refusal.
 */
import { log } from '@temporalio/workflow';
import type { Digest } from '../../domain/ids.js';
import type { Outcome } from '../../domain/phases.js';
import type { EndedHold } from '../../domain/protocol/decide.js';
import type { Ending } from './ending.js';
import type { GovernedRun } from './governed-state.js';
import { auditWithin, decide, decideWithin, executeWithin } from '../activity-proxies.js';
import type { RunResult } from '../messages/messages.js';
import { isRefusedHistory } from './refused-history.js';
import { showEnded } from './temporal-display.js';

/** Shares of the grace. `kept` is what the last append and `decide.finalize` have before finalize_due. */
const SHARE = { latch: 0.175, kept: 0.3, trace: 0.1, audit: 0.1 } as const;
const LEAST_MS = 500;
/** Below a grace of some seconds a share is less than one act takes. */
const LEAST_KEPT_MS = 1_500;

/** What closing needs of a run; `repair` closes with the same. */
export type Closing = Pick<GovernedRun, 'run' | 'trace' | 'moved'> & {
  /** Notes how the holds ended that the run's end found open. */
  noteEnded(ended: readonly EndedHold[]): void;
  readonly tenant: string;
  readonly agent: string;
  readonly graceMs: number;
  readonly lastStep: number;
  /** Whether this execution noted every event of the trace, and so knows its length. */
  readonly countsEvents: boolean;
};
export type Closed = Omit<RunResult, 'answer' | 'detail'>;

export async function closeRun(run: GovernedRun, ending: Ending, answer: RunResult['answer']): Promise<RunResult> {
  run.closing = true;
  const { opened } = run;
  // The close keeps the turn from its first act to its last: what a handler asks beside it may not replay as it was.
  const closed = await run.mutex.runExclusive(() =>
    close(
      {
        run: run.run,
        trace: run.trace,
        moved: (to) => {
          run.moved(to);
        },
        noteEnded: (ended) => {
          run.holding.noteEnded(ended);
        },
        tenant: opened.tenant,
        agent: opened.agent,
        graceMs: opened.graceMs,
        lastStep: run.steps,
        countsEvents: true,
      },
      { ...ending, answer },
    ),
  );
  showEnded(run.status);
  return { ...closed, detail: ending.detail, answer };
}

export async function close(run: Closing, ending: Ending & { readonly answer: Digest | null }): Promise<Closed> {
  const beganMs = Date.now();
  const share = (name: keyof typeof SHARE): number => Math.max(LEAST_MS, Math.floor(run.graceMs * SHARE[name]));
  const { outcome: asked, detail, answer } = ending;

  const latched = await within('latch', () =>
    decideWithin(share('latch'))['decide.latch']({ run: run.run, outcome: asked, detail, answer }),
  );
  const outcome: Outcome = latched?.outcome ?? asked;
  run.noteEnded(latched?.holds ?? []);
  run.moved({ phase: 'FINALIZING', outcome });
  // By database time, where the latch answered; a run that ends long before its deadline has no more than the grace either.
  const leftMs = Math.min(latched?.dueInMs ?? Infinity, run.graceMs - (Date.now() - beganMs));
  const closeOutMs = Math.max(LEAST_MS, Math.floor(leftMs - Math.max(LEAST_KEPT_MS, share('kept'))));
  await within('close_out', () =>
    executeWithin(closeOutMs)['execute.close_out']({
      run: run.run,
      tenant: run.tenant,
      agent: run.agent,
      outcome,
      decision: latched?.decision ?? null,
      lastStep: run.lastStep,
      detail,
    }),
  );
  const refusedCalls = run.countsEvents ? run.trace.notedOf('call.refused') : null;
  const counts = refusedCalls === null ? {} : { events: run.trace.noted + 1, refused_calls: refusedCalls };
  run.trace.note('run.closing', 'run.closing', { outcome, ...counts });
  const end = { run: run.run, outcome, detail, answer };
  const final =
    (await within('trace', () => run.trace.finish(share('trace'), end))) ?? (await decide['decide.finalize'](end));
  run.moved({ phase: final.phase, outcome: final.outcome, spentMicros: final.spentMicros });
  const judged = await within('audit', () => auditWithin(share('audit'))['audit.close']({ run: run.run }));
  run.moved({ phase: final.phase, verdict: judged?.status ?? null });
  return {
    run: run.run,
    phase: final.phase,
    outcome: final.outcome,
    verdict: judged?.status ?? null,
    receipt: judged?.receipt ?? null,
    decisions: final.decisions,
    refusedCalls,
    attempts: final.attempts,
    spentMicros: final.spentMicros,
    traceEvents: run.trace.noted,
  };
}

async function within<T>(what: string, work: () => Promise<T>): Promise<T | null> {
  try {
    return await work();
  } catch (error) {
    if (isRefusedHistory(error)) throw error;
    log.warn('skipped in the close', { what, error: error instanceof Error ? error.message : 'unknown' });
    return null;
  }
}
