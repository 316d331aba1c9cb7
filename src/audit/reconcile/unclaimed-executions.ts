/** Executions that Temporal has and the database has not. Entered once, with a due time; audit.judge_strays rules on them. */
import type { Sql } from '../../domain/sql.js';

export type Execution = { readonly workflowId: string; readonly temporalRunId: string; readonly startedAt: Date };

/**
 * Enters those of `executions` that are no run's history and were not refused to be one. Answers how many are new.
 * @param graceMs how long each has until it is judged
 */
export async function enterStrays(sql: Sql, executions: readonly Execution[], graceMs: number): Promise<number> {
  if (executions.length === 0) return 0;
  const entered = await sql.query(
    `INSERT INTO audit.strays (workflow_id, temporal_run_id, started_at, due_at)
     SELECT x.workflow_id, x.temporal_run_id, x.started_at, clock_timestamp() + $4 * interval '1 millisecond'
     FROM unnest($1::text[], $2::text[], $3::timestamptz[]) AS x (workflow_id, temporal_run_id, started_at)
     WHERE NOT EXISTS (SELECT FROM decide.v_runs r JOIN decide.v_histories h ON h.run_id = r.run_id
         JOIN audit.contracts c ON c.run_id = r.run_id WHERE r.workflow_id = x.workflow_id AND h.temporal_run_id = x.temporal_run_id)
       AND NOT EXISTS (SELECT FROM decide.v_refused_histories h
         WHERE (h.workflow_id, h.temporal_run_id) = (x.workflow_id, x.temporal_run_id))
     ON CONFLICT DO NOTHING RETURNING run_id`,
    [
      executions.map((one) => one.workflowId),
      executions.map((one) => one.temporalRunId),
      executions.map((one) => one.startedAt.toISOString()),
      graceMs,
    ],
  );
  return entered.length;
}
