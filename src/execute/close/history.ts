/**
 * Checks that the calling workflow is the run's own history. Whoever may start workflows can call an activity of this
 * task queue, so rows that are written without redeeming a warrant are written for that history alone.
 */
import { RokError } from '../../domain/errors.js';
import { uuidOf, type RunId } from '../../domain/ids.js';
import type { Sql } from '../../domain/sql.js';

/** @throws RokError not_this_history for any other execution, and for none */
export async function requireHistory(sql: Sql, run: RunId, temporalRunId: string | undefined): Promise<void> {
  const [row] = await sql.query<{ mine: boolean }>('SELECT decide.is_history($1, $2) AS mine', [
    uuidOf(run),
    temporalRunId ?? '',
  ]);
  if (row?.mine !== true)
    throw new RokError('not_this_history', 'another workflow execution is the history of this run');
}
