/** Writes an ack of what this power did, pointing at the row that shows it. The audit reads that row. */
import { uuidOf, type RunId } from '../../domain/ids.js';
import type { JsonObject } from '../../domain/json.js';
import type { Sql } from '../../domain/sql.js';

/** Doing it again is a no-op. Returns `domain/action`. */
export async function acknowledge(
  sql: Sql,
  run: RunId,
  domain: 'policies' | 'incidents',
  action: string,
  evidence: JsonObject,
): Promise<string> {
  await sql.query('SELECT audit.ack($1, $2, $3, $4, $5::jsonb)', [
    uuidOf(run),
    domain,
    action,
    'done',
    JSON.stringify(evidence),
  ]);
  return `${domain}/${action}`;
}
