/** Reads the contents that a reader may see, through execute.v_shown: a run's answer and the arguments of its calls. */
import { uuidOf, type RunId } from '../domain/ids.js';
import type { Sql } from '../domain/sql.js';
import { answerOf, shownText, type ShownRow, type ShownText } from './shown-text.js';

/** As the view cuts. */
const MAX_SHOWN_BYTES = 65_536;

export async function readAnswer(sql: Sql, run: RunId): Promise<ShownText | null> {
  const [row] = await sql.query<ShownRow>(
    `SELECT r.answer AS digest, s.bytes, s.byte_count AS "byteCount"
    FROM decide.v_runs r LEFT JOIN execute.v_shown s ON (s.run_id, s.digest) = (r.run_id, r.answer)
    WHERE r.run_id = $1 AND r.answer IS NOT NULL`,
    [uuidOf(run)],
  );
  return row === undefined ? null : answerOf(shownText(row, MAX_SHOWN_BYTES));
}

export async function readArguments(sql: Sql, run: RunId, digest: string): Promise<ShownText | null> {
  const [row] = await sql.query<ShownRow>(
    `SELECT digest, bytes, byte_count AS "byteCount" FROM execute.v_shown
    WHERE (run_id, digest, kind) = ($1, $2, 'arguments')`,
    [uuidOf(run), digest],
  );
  return row === undefined ? null : shownText(row, MAX_SHOWN_BYTES);
}
