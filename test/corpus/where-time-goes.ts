/** Where a stack's time went, read from the rows it kept anyway: how long decided steps waited, were called, and wrote. */
import type { Sql } from '../../src/domain/sql.js';

type Spans = { readonly steps: number; readonly redeem_ms: number; readonly call_ms: number; readonly next_ms: number };

/** Means per step, in milliseconds; lines to print. */
export async function whereTimeGoes(admin: Sql): Promise<readonly string[]> {
  const [spans] = await admin.query<Spans>(
    `WITH step AS (
       SELECT w.run_id, d.decided_at, w.redeemed_at, r.finished_at,
         lead(d.decided_at) OVER (PARTITION BY d.run_id ORDER BY d.decided_at) AS next_at
       FROM decide.v_reservations w JOIN decide.decisions d USING (run_id, step, attempt)
       JOIN execute.results r USING (run_id, step, attempt))
     SELECT count(*)::int AS steps,
       coalesce(avg(extract(epoch FROM redeemed_at - decided_at)) * 1000, 0)::float8 AS redeem_ms,
       coalesce(avg(extract(epoch FROM finished_at - redeemed_at)) * 1000, 0)::float8 AS call_ms,
       coalesce(avg(extract(epoch FROM next_at - finished_at)) * 1000, 0)::float8 AS next_ms
     FROM step`,
  );
  if (spans === undefined) return [];
  const ms = (value: number): string => `${value.toFixed(1)} ms`;
  return [
    `steps ${spans.steps}; on average, of each step:`,
    `  decided → redeemed (commit, workflow task, dispatch, load)  ${ms(spans.redeem_ms)}`,
    `  redeemed → result written (call, store)                     ${ms(spans.call_ms)}`,
    `  result → next decision (report, workflow task, decide)      ${ms(spans.next_ms)}`,
  ];
}
