/**
 * Computes a stored decision again from its stored snapshot and policy set, and says whether it is the same, or that it
 * cannot be known because something it depended on was deleted or changed. Writes nothing.
 */
import { canonicalJson } from '../../domain/canonical-json.js';
import { digest, DIGEST_TAGS } from '../../domain/digest.js';
import type { Digest, RunId } from '../../domain/ids.js';
import { runIdOf, uuidOf } from '../../domain/ids.js';
import { actionDigest, type Intent } from '../../domain/intent.js';
import type { Json, JsonObject } from '../../domain/json.js';
import type { Recomputed } from '../../domain/protocol/administer.js';
import type { Sql } from '../../domain/sql.js';
import { bodyOf } from '../rows/decision-row.js';
import type { PolicySets, RulesInForce } from '../policies/in-force.js';
import type { Answer } from '../policy-checker.js';
import type { Snapshot } from '../snapshot.js';

export type StoredDecision = {
  readonly run_id: string;
  readonly step: number;
  readonly attempt: number;
  readonly kind: Intent['kind'];
  readonly target: string;
  readonly access: 'read' | 'write' | null;
  readonly effect: string;
  readonly action_digest: Digest;
  readonly arguments_digest: Digest;
  readonly context_digest: Digest;
  readonly asked_output_tokens: number | null;
  readonly snapshot_digest: Digest;
  readonly policy_set_digest: Digest;
  readonly body: JsonObject;
  readonly snapshot: string | null;
  readonly arguments: string | null;
};

export const STORED_DECISION = `SELECT d.run_id, d.step, d.attempt, d.kind, d.target, d.access, d.effect, d.action_digest,
    d.arguments_digest, d.context_digest, d.asked_output_tokens, d.snapshot_digest, d.policy_set_digest, d.body,
    s.body AS snapshot,
    (SELECT a.arguments FROM execute.v_arguments a WHERE a.run_id = d.run_id AND a.digest = d.arguments_digest) AS arguments
  FROM decide.decisions d LEFT JOIN decide.snapshots s ON s.run_id = d.run_id AND s.digest = d.snapshot_digest`;

export async function recompute(
  sql: Sql,
  sets: PolicySets,
  asked: { readonly run: RunId; readonly step: number; readonly attempt: number | null },
): Promise<Recomputed> {
  const [row] = await sql.query<StoredDecision>(
    `${STORED_DECISION} WHERE d.run_id = $1 AND d.step = $2 AND ($3::int IS NULL OR d.attempt = $3) ORDER BY d.attempt DESC LIMIT 1`,
    [uuidOf(asked.run), asked.step, asked.attempt],
  );
  if (row === undefined) return { found: false };
  const at = { found: true as const, run: runIdOf(row.run_id), step: row.step, attempt: row.attempt };
  const made = again(row, await sets.of(sql, row.policy_set_digest));
  if ('what' in made) return { ...at, ...made };
  const stored = { ...row.body, effect: row.effect };
  const equal = canonicalJson(made.body) === canonicalJson(stored);
  return equal ? { ...at, result: 'equal' } : { ...at, result: 'differs', stored, recomputed: made.body };
}

export type Again =
  | { readonly body: JsonObject; readonly answer: Answer }
  | { readonly result: 'deleted' | 'changed'; readonly what: string };

/** The same intent and snapshot, by whatever rules. */
export function again(row: StoredDecision, rules: RulesInForce): Again {
  if (row.snapshot === null) return { result: 'deleted', what: 'its snapshot' };
  if (digest(DIGEST_TAGS.snapshot, row.snapshot) !== row.snapshot_digest)
    return { result: 'changed', what: 'its snapshot does not have the digest it is named by' };
  const intent = intentOf(row);
  if (actionDigest(intent) !== row.action_digest)
    return { result: 'changed', what: 'what was asked does not have the digest it is named by' };
  const stored = JSON.parse(row.snapshot) as Snapshot;
  if (stored.argumentsStored && row.arguments === null)
    return { result: 'deleted', what: 'the arguments it was decided on' };
  const snapshot: Snapshot = stored.argumentsStored
    ? { ...stored, arguments: JSON.parse(row.arguments ?? 'null') as Json }
    : stored;
  const { answer } = rules.checker.check(intent, snapshot);
  return { body: JSON.parse(JSON.stringify(bodyOf(answer))) as JsonObject, answer };
}

const intentOf = (row: StoredDecision): Intent => ({
  step: row.step,
  attempt: row.attempt,
  kind: row.kind,
  target: row.target,
  argumentsDigest: row.arguments_digest,
  contextDigest: row.context_digest,
  ...(row.asked_output_tokens === null ? {} : { askedOutputTokens: row.asked_output_tokens }),
  ...(row.access === null ? {} : { access: row.access }),
});
