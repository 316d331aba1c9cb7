/**
 * Appends to the trace through the one function that may. Deliberately without reading: what was observed changes nothing
 * that is observed.
 */
import { asDigest, uuidOf, type RunId } from '../domain/ids.js';
import type { Appended } from '../domain/protocol/observe.js';
import type { Sql } from '../domain/sql.js';
import type { EncodedEvent } from './trace-facade.js';

/** Idempotent by event id; answers the head as it stands then. */
export async function appendEvents(sql: Sql, run: RunId, events: readonly EncodedEvent[]): Promise<Appended> {
  const [head] = await sql.query<{ length: bigint; hash: string }>(
    `SELECT length, encode(hash, 'hex') AS hash FROM observe.append($1, $2::jsonb)`,
    [uuidOf(run), JSON.stringify(events)],
  );
  if (head === undefined) throw new Error(`observe.append answered nothing for \`${run}\``);
  return { length: Number(head.length), hash: asDigest(head.hash) };
}
