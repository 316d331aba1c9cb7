/**
 * The judge that needs nobody: a plain loop in every audit worker, beside Temporal's schedule and independent of it. It
 * outlives outages of PostgreSQL, because a loop that ends on an error is the one thing that would break the promise.
 */
import type { SweepAnswer } from '../domain/protocol/audit.js';
import type { AuditLog } from './log.js';

export type StandingJudge = {
  readonly sweep: () => Promise<SweepAnswer>;
  /** Records that a sweep succeeded. */
  readonly beat: () => Promise<void>;
  readonly intervalMs: number;
  readonly log: AuditLog;
};

/** Sweeps at once and then at every interval, until `signal` aborts; a sweep under way is finished first. Never rejects. */
export async function runStandingJudge(
  { sweep, beat, intervalMs, log }: StandingJudge,
  signal: AbortSignal,
): Promise<void> {
  while (!signal.aborted) {
    try {
      const answer = await sweep();
      await beat();
      if (answer.judged > 0 || answer.signed > 0) log.info(answer, 'swept');
    } catch (error) {
      log.error(
        { reason: error instanceof Error ? error.message : String(error) },
        'a sweep failed; the next one follows',
      );
    }
    await pause(intervalMs, signal);
  }
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      clearTimeout(timer);
      signal.removeEventListener('abort', done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    signal.addEventListener('abort', done, { once: true });
    if (signal.aborted) done();
  });
}
