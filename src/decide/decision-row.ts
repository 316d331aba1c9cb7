/** Writes a decision and its snapshot, and moves the run's counters, in one statement. Written once: a repeat changes nothing. */
import { digest, DIGEST_TAGS } from '../domain/digest.js';
import { canonicalJson } from '../domain/canonical-json.js';
import type { Digest, RunId } from '../domain/ids.js';
import { uuidOf } from '../domain/ids.js';
import { requestDigest, type Intent } from '../domain/intent.js';
import type { Phase } from '../domain/phases.js';
import type { Sql } from '../domain/sql.js';
import type { Answer } from './policy-checker.js';
import type { Counters, Snapshot } from './snapshot.js';

export type Written = {
  readonly snapshotDigest: Digest;
  readonly policySetDigest: Digest;
  readonly priceTableDigest: Digest;
};

/** The decision as it is stored: all of it but the intent. */
export const bodyOf = ({ ruling, determining, errors, notices }: Answer) => ({
  ...ruling,
  determining,
  errors,
  notices,
});

/** Arguments that the content store has are named by the intent's digest, so that deleting content deletes them. */
const storedForm = (snapshot: Snapshot): Snapshot =>
  snapshot.argumentsStored ? { ...snapshot, arguments: null } : snapshot;

export function writeDecision(
  sql: Sql,
  input: {
    readonly run: RunId;
    readonly intent: Intent;
    readonly actionDigest: Digest;
    readonly snapshot: Snapshot;
    readonly answer: Answer;
    readonly policySetDigest: Digest;
    readonly priceTableDigest: Digest;
    readonly counters: Counters;
    readonly phase: Phase;
  },
): Written {
  const { intent, answer } = input;
  const snapshotBody = canonicalJson(storedForm(input.snapshot));
  const snapshotDigest = digest(DIGEST_TAGS.snapshot, snapshotBody);
  const { ruling } = answer;
  // Not waited for: it travels with what comes after it, the commit at the latest.
  void sql.query(
    `WITH kept AS (INSERT INTO decide.snapshots (run_id, digest, body) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING),
      moved AS (UPDATE decide.runs SET counters = $4, phase = $5, last_step = greatest(last_step, $6) WHERE run_id = $1)
    INSERT INTO decide.decisions (run_id, step, attempt, kind, target, access, effect, action_digest, request_digest,
      arguments_digest, context_digest, asked_output_tokens, not_after, snapshot_digest, policy_set_digest,
      price_table_digest, body)
    VALUES ($1, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $2, $18, $19, $20)`,
    [
      uuidOf(input.run),
      snapshotDigest,
      snapshotBody,
      JSON.stringify(input.counters),
      input.phase,
      intent.step,
      intent.attempt,
      intent.kind,
      intent.target,
      intent.access ?? null,
      ruling.effect,
      input.actionDigest,
      requestDigest(intent),
      intent.argumentsDigest,
      intent.contextDigest,
      intent.askedOutputTokens ?? null,
      ruling.effect === 'allow' ? ruling.grant.notAfter : null,
      input.policySetDigest,
      input.priceTableDigest,
      JSON.stringify(bodyOf(answer)),
    ],
  );
  return { snapshotDigest, policySetDigest: input.policySetDigest, priceTableDigest: input.priceTableDigest };
}
