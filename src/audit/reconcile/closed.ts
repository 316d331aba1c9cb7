/**
 * Finds open runs whose workflow was closed from outside: terminated, reset or failed, long before any deadline. Asks
 * Temporal which executions closed lately and records those that an open run calls its history, for the deciding power
 * to repair.
 */
import type { Sql } from '../../domain/sql.js';
import type { AuditLog } from '../log.js';
import type { ClosedExecution, TemporalView } from './temporal-view.js';

/** Longer than any pause between two sweeps that is not an outage; what an outage hides is found past the run's deadline. */
const REACH_MS = 600_000;
const BATCH = 500;

/** @returns how many were not known before */
export async function recordClosed(sql: Sql, temporal: TemporalView, log: AuditLog): Promise<number> {
  const [clock] = await sql.query<{ now: string }>('SELECT clock_timestamp() AS now');
  const since = new Date(new Date(clock?.now ?? Date.now()).getTime() - REACH_MS);
  let recorded = 0;
  let batch: ClosedExecution[] = [];
  for await (const execution of temporal.closedSince(since)) {
    // Its successor is the run's history, or about to be.
    if (execution.status !== 'CONTINUED_AS_NEW') batch.push(execution);
    if (batch.length < BATCH) continue;
    recorded += await record(sql, batch, log);
    batch = [];
  }
  return recorded + (await record(sql, batch, log));
}

async function record(sql: Sql, closed: readonly ClosedExecution[], log: AuditLog): Promise<number> {
  if (closed.length === 0) return 0;
  const orphans = await sql.query<{ run_id: string; status: string }>(
    `INSERT INTO audit.orphans (run_id, status)
     SELECT r.run_id, x.status FROM unnest($1::text[], $2::text[], $3::text[]) AS x(workflow_id, temporal_run_id, status)
     JOIN decide.v_runs r USING (workflow_id, temporal_run_id)
     WHERE r.phase NOT IN ('COMPLETED', 'FAILED')
     ON CONFLICT DO NOTHING RETURNING run_id, status`,
    [closed.map((one) => one.workflowId), closed.map((one) => one.temporalRunId), closed.map((one) => one.status)],
  );
  for (const orphan of orphans) log.warn(orphan, 'the workflow of an open run closed');
  return orphans.length;
}
