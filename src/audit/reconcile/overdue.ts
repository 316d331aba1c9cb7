/** Reads runs past their deadline that have not ended, and those among them whose workflow no longer exists. */
import { runIdOf, uuidOf } from '../../domain/ids.js';
import type { Overdue } from '../../domain/protocol/audit.js';
import type { Sql } from '../../domain/sql.js';
import type { ExecutionStatus } from './overdue-plan.js';

/** In no order, so that no run that cannot be asked about stands in front of others. What was recorded as an orphan is the deciders' to repair and not asked about again. */
export async function overdueRuns(sql: Sql, limit: number): Promise<readonly Overdue[]> {
  const rows = await sql.query<{ run_id: string; workflow_id: string; temporal_run_id: string }>(
    `SELECT r.run_id, r.workflow_id, r.temporal_run_id
     FROM decide.v_runs r JOIN audit.contracts c ON c.run_id = r.run_id
     WHERE r.phase NOT IN ('COMPLETED', 'FAILED') AND c.run_deadline < clock_timestamp()
       AND NOT EXISTS (SELECT FROM audit.orphans o WHERE o.run_id = r.run_id)
     ORDER BY random() LIMIT $1`,
    [limit],
  );
  return rows.map((row) => ({
    run: runIdOf(row.run_id),
    workflowId: row.workflow_id,
    temporalRunId: row.temporal_run_id,
  }));
}

/** Only while the run is still where Temporal was asked about it: a history that moved on meanwhile is no orphan. */
export async function recordOrphan(sql: Sql, overdue: Overdue, status: ExecutionStatus): Promise<boolean> {
  const rows = await sql.query(
    `INSERT INTO audit.orphans (run_id, status)
     SELECT r.run_id, $3 FROM decide.v_runs r
     WHERE r.run_id = $1 AND r.temporal_run_id = $2 AND r.phase NOT IN ('COMPLETED', 'FAILED')
     ON CONFLICT DO NOTHING RETURNING run_id`,
    [uuidOf(overdue.run), overdue.temporalRunId, status],
  );
  return rows.length > 0;
}
