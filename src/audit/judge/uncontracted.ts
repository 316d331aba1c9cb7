/**
 * Finds runs without a contract. The database refuses them; one inserted by somebody with higher rights is entered
 * among the unclaimed executions, with a due time, and judged NO_CONTRACT. Each sweep looks at the youngest runs, and
 * at a part of all others.
 */
import type { Database } from '../../domain/sql.js';
import { beat } from '../reconcile/beats.js';

const CURSOR = 'uncontracted.cursor';
const PORTION = 5_000;

/** Answers how many are new. */
export async function enterUncontracted(database: Database): Promise<number> {
  const [found] = await database.query<{ entered: number; last: string | null }>(
    `WITH turn AS MATERIALIZED (
       SELECT r.run_id, r.workflow_id, r.temporal_run_id, r.opened_at FROM decide.v_runs r
       WHERE r.run_id > coalesce((SELECT b.place FROM audit.beats b WHERE b.name = $1), '${'0'.repeat(32)}')::uuid
       ORDER BY r.run_id LIMIT $2
     ), young AS MATERIALIZED (
       -- Ids begin with the time in which they were made.
       SELECT r.run_id, r.workflow_id, r.temporal_run_id, r.opened_at FROM decide.v_runs r
       WHERE r.run_id > (lpad(to_hex((extract(epoch FROM clock_timestamp() - interval '10 minutes') * 1000)::bigint), 12, '0')
         || repeat('0', 20))::uuid
       ORDER BY r.run_id DESC LIMIT $2
     ), entered AS (
       INSERT INTO audit.strays (workflow_id, temporal_run_id, run_id, started_at, due_at)
       SELECT r.workflow_id, r.temporal_run_id, r.run_id, r.opened_at, clock_timestamp() + interval '1 minute'
       FROM (SELECT * FROM turn UNION SELECT * FROM young) r
       WHERE NOT EXISTS (SELECT FROM audit.contracts c WHERE c.run_id = r.run_id)
       ON CONFLICT DO NOTHING RETURNING run_id
     )
     SELECT (SELECT count(*)::integer FROM entered) AS entered,
       (SELECT t.run_id::text FROM turn t ORDER BY t.run_id OFFSET $2 - 1) AS last`,
    [CURSOR, PORTION],
  );
  // A portion that is not full was the last one: from the beginning again.
  await beat(database, CURSOR, null, found?.last ?? null);
  return found?.entered ?? 0;
}
