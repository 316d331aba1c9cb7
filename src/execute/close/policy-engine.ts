/** Records the `run.outcome` decision as the run's evaluation and acks it. The deciding power made that decision. */
import { uuidOf } from '../../domain/ids.js';
import type { CloseOut } from '../../domain/protocol/execute.js';
import type { Sql } from '../../domain/sql.js';
import { acknowledge } from './acknowledge.js';

/** Nothing when there was no decision: the missing ack is then the finding. Returns what was acked. */
export async function recordEvaluation(sql: Sql, { run, outcome, decision }: CloseOut): Promise<readonly string[]> {
  if (decision === null) return [];
  await sql.query(
    `INSERT INTO execute.evaluations (run_id, step, attempt, outcome) VALUES ($1, $2, $3, $4)
     ON CONFLICT (run_id) DO NOTHING`,
    [uuidOf(run), decision.step, decision.attempt, outcome],
  );
  return [await acknowledge(sql, run, 'policies', 'evaluate_policy', { table: 'execute.evaluations' })];
}
