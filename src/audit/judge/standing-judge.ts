/**
 * A plain loop in every audit worker that judges what is due, independent of Temporal's schedule. An error never ends
 * the loop, so it survives outages of PostgreSQL; and it does not wait for a sweep that is stuck on a connection that
 * does not answer.
 */
import type { SweepAnswer } from '../../domain/protocol/audit.js';
import type { AuditLog } from '../log.js';

export type StandingJudge = {
  readonly sweep: () => Promise<SweepAnswer>;
  /** Records that a sweep succeeded. */
  readonly beat: () => Promise<void>;
  readonly intervalMs: number;
  readonly log: AuditLog;
};

/** After how long a sweep is late, at the soonest, and how many are under way with all that are. They skip each other's locks. */
const LATE_MS = 10_000;
const LANES = 3;

/**
 * Sweeps at once and then at every interval, until `signal` aborts; what is under way is finished first. One that is late holds
 * up no other. Never rejects.
 */
export async function runStandingJudge(
  { sweep, beat, intervalMs, log }: StandingJudge,
  signal: AbortSignal,
): Promise<void> {
  const underWay = new Set<Promise<void>>();
  while (!signal.aborted) {
    if (underWay.size < LANES) {
      const one = sweepOnce({ sweep, beat, log }).finally(() => underWay.delete(one));
      underWay.add(one);
      await beforeLate(one, Math.max(intervalMs, LATE_MS), () => pause(intervalMs, signal), signal);
    } else await pause(intervalMs, signal);
  }
  await Promise.all(underWay);
}

async function sweepOnce({ sweep, beat, log }: Pick<StandingJudge, 'sweep' | 'beat' | 'log'>): Promise<void> {
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
}

/** Until `one` has ended and `then` after it; where that lasts, until it is late. */
async function beforeLate(
  one: Promise<void>,
  lateMs: number,
  then: () => Promise<void>,
  signal: AbortSignal,
): Promise<void> {
  const ended = new AbortController();
  const late = pause(lateMs, AbortSignal.any([signal, ended.signal]));
  const inTime = one.then(() => {
    ended.abort();
    return then();
  });
  await Promise.race([inTime, late.then(() => (ended.signal.aborted ? inTime : undefined))]);
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
