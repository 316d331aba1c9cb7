/**
 * Ends database sessions that hold the lock on an overdue run's contract: an acknowledger that neither commits nor
 * ends. The judge never rules without that lock, because an ack stamped before the verdict and visible after it would
 * contradict the verdict. audit.end_holders ends only sessions of ROK's own logins.
 */
import type { Database } from '../../domain/sql.js';
import { judgeHeld, type Judged } from './judge-some.js';
import type { AuditLog } from '../log.js';

/** In one sweep; the others are chosen anew the next time. */
const HELD = 20;
const WAIT_MS = 3_000;
const LOOK_MS = 100;

/** What is still due, not set aside and so long overdue after all pages were judged is what the judge skipped as locked. */
export async function judgeOverdueHeld(database: Database, log: AuditLog): Promise<readonly Judged[]> {
  const held = await database.query<{ run_id: string }>(
    `SELECT h.run_id FROM (
       SELECT c.run_id FROM audit.contracts c
       WHERE c.judge_after <= clock_timestamp() AND c.finalize_due < clock_timestamp() - interval '10 seconds'
         AND NOT EXISTS (SELECT FROM audit.set_aside a WHERE a.run_id = c.run_id)
       ORDER BY c.judge_after LIMIT 1000) h
     -- In no order, so that one whose holder cannot be ended keeps nobody waiting.
     ORDER BY random() LIMIT $1`,
    [HELD],
  );
  const judged: Judged[] = [];
  const failures: unknown[] = [];
  for (const { run_id: run } of held)
    try {
      judged.push(...(await judgeOne(database, run, log)));
    } catch (error) {
      failures.push(error);
    }
  if (failures.length > 0) throw new AggregateError(failures, `${failures.length} overdue runs are held by somebody`);
  return judged;
}

async function judgeOne(database: Database, run: string, log: AuditLog): Promise<readonly Judged[]> {
  const waited = new AbortController();
  const judging = judgeHeld(database, run, WAIT_MS).finally(() => {
    waited.abort();
  });
  const ending = (async () => {
    for (;;) {
      await pause();
      if (waited.signal.aborted) return;
      const [row] = await database.query<{ ended: number }>('SELECT audit.end_holders($1) AS ended', [run]);
      if ((row?.ended ?? 0) > 0) log.error({ run, ended: row?.ended }, 'sessions were ended that held an overdue run');
    }
  })();
  const [judged, ended] = await Promise.allSettled([judging, ending]);
  if (judged.status === 'rejected') throw ended.status === 'rejected' ? ended.reason : judged.reason;
  return judged.value;
}

const pause = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, LOOK_MS));
