/**
 * Counts refused acts. Anybody who reaches Temporal can send messages without end, so only the first of equal refusals
 * is kept in full, and at most 256 in all. An act that was verified and allowed is never counted here: it is always
 * kept.
 */
import { canonicalJson } from '../../domain/canonical-json.js';
import { digest, DIGEST_TAGS } from '../../domain/digest.js';
import { uuidOf } from '../../domain/ids.js';
import type { ActRequest } from '../../domain/protocol/decide.js';
import type { Sql } from '../../domain/sql.js';

const MOST_KEPT = 256;

/** Under the run's lock. @returns whether it is to be kept in full: nothing equal was, and there is room */
export async function countRefusal(
  sql: Sql,
  { run, verb, updateId, hold }: ActRequest,
  { actor, reason }: { readonly actor: string; readonly reason: string },
): Promise<boolean> {
  const equal = digest(DIGEST_TAGS.message, canonicalJson({ verb, actor, hold: hold ?? null, reason }));
  const [row] = await sql.query<{ keep: boolean }>(
    `INSERT INTO decide.refusals AS r (run_id, equal, last_update_id, last_reason)
    SELECT $1, CASE WHEN count(*) < $5 OR bool_or(k.equal = $2) THEN $2 ELSE 'others' END, $3, $4
    FROM decide.refusals k WHERE k.run_id = $1
    ON CONFLICT (run_id, equal) DO UPDATE SET last_update_id = EXCLUDED.last_update_id,
      last_reason = EXCLUDED.last_reason, times = r.times + (r.last_update_id <> EXCLUDED.last_update_id)::int
    RETURNING times = 1 AND equal <> 'others' AS keep`,
    [uuidOf(run), equal, updateId, reason, MOST_KEPT],
  );
  return row?.keep === true;
}
