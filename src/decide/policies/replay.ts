/**
 * Decides the last decisions again, each from its stored snapshot, with a set that is not in force, and reports which
 * would change.
 */
import { RokError } from '../../domain/errors.js';
import { runIdOf } from '../../domain/ids.js';
import { parsePolicySource } from '../../domain/policy-source.js';
import type { Changed, Replayed } from '../../domain/protocol/administer.js';
import type { Sql } from '../../domain/sql.js';
import { again, STORED_DECISION, type StoredDecision } from '../step/recompute.js';
import type { PolicySets } from './in-force.js';

/** A local activity has 3 s for all of them. */
const MOST = 500;

/** @throws RokError `policy_invalid` when the set does not load */
export async function replay(
  sql: Sql,
  sets: PolicySets,
  asked: { readonly source: unknown; readonly tenant: string | null; readonly last: number },
): Promise<Replayed> {
  const parsed = parsePolicySource(asked.source);
  if (!parsed.ok) throw new RokError('policy_invalid', parsed.problems.join('; ').slice(0, 2000));
  const rules = sets.load(parsed.source);
  try {
    const rows = await sql.query<StoredDecision>(
      `${STORED_DECISION} JOIN decide.runs r ON r.run_id = d.run_id
      WHERE $1::text IS NULL OR r.tenant = $1 ORDER BY d.decided_at DESC LIMIT $2`,
      [asked.tenant, Math.min(asked.last, MOST)],
    );
    const changed: Changed[] = [];
    let untold = 0;
    for (const row of rows) {
      const made = again(row, rules);
      if ('what' in made) untold += 1;
      else if (made.answer.ruling.effect !== row.effect)
        changed.push({
          run: runIdOf(row.run_id),
          step: row.step,
          attempt: row.attempt,
          target: row.target,
          was: row.effect,
          is: made.answer.ruling.effect,
          rules: made.answer.determining,
        });
    }
    return { decisions: rows.length, untold, changed };
  } finally {
    rules.policies.release();
  }
}
