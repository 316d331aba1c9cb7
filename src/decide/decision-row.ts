/**
 * Writes decisions with their snapshots, and moves their runs' counters, in one statement. Written once: a repeat changes
 * nothing.
 */
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

export type DecisionRow = {
  readonly run: RunId;
  readonly intent: Intent;
  readonly actionDigest: Digest;
  readonly snapshot: Snapshot;
  readonly answer: Answer;
  readonly policySetDigest: Digest;
  readonly priceTableDigest: Digest;
  readonly counters: Counters;
  readonly phase: Phase;
};

export function writeDecision(sql: Sql, row: DecisionRow): Written {
  const [written] = writeDecisions(sql, [row]);
  if (written === undefined) throw new Error('no decision was written');
  return written;
}

/** At most one to a run. Not waited for: they travel with what comes after them, the commit at the latest. */
export function writeDecisions(sql: Sql, rows: readonly DecisionRow[]): readonly Written[] {
  const columns = rows.map(columnsOf);
  void sql.query(WRITE_DECISIONS, [JSON.stringify(columns)]);
  return columns.map((row) => ({
    snapshotDigest: row.snapshot_digest,
    policySetDigest: row.policy_set_digest,
    priceTableDigest: row.price_table_digest,
  }));
}

const WRITE_DECISIONS = `WITH d AS MATERIALIZED (
    SELECT * FROM jsonb_to_recordset($1) AS d(run_id uuid, step integer, attempt integer, kind text, target text, access text,
      effect text, action_digest text, request_digest text, arguments_digest text, context_digest text,
      asked_output_tokens integer, not_after timestamptz, snapshot text, snapshot_digest text, policy_set_digest text,
      price_table_digest text, body jsonb, counters jsonb, phase text)),
  kept AS (INSERT INTO decide.snapshots (run_id, digest, body)
    SELECT run_id, snapshot_digest, snapshot FROM d ON CONFLICT DO NOTHING),
  moved AS (UPDATE decide.runs r SET counters = d.counters, phase = d.phase, last_step = greatest(r.last_step, d.step)
    FROM d WHERE r.run_id = d.run_id)
  INSERT INTO decide.decisions (run_id, step, attempt, kind, target, access, effect, action_digest, request_digest,
    arguments_digest, context_digest, asked_output_tokens, not_after, snapshot_digest, policy_set_digest,
    price_table_digest, body)
  SELECT run_id, step, attempt, kind, target, access, effect, action_digest, request_digest, arguments_digest, context_digest,
    asked_output_tokens, not_after, snapshot_digest, policy_set_digest, price_table_digest, body FROM d`;

function columnsOf({ run, intent, answer, ...row }: DecisionRow) {
  const snapshot = canonicalJson(storedForm(row.snapshot));
  const { ruling } = answer;
  return {
    run_id: uuidOf(run),
    step: intent.step,
    attempt: intent.attempt,
    kind: intent.kind,
    target: intent.target,
    access: intent.access ?? null,
    effect: ruling.effect,
    action_digest: row.actionDigest,
    request_digest: requestDigest(intent),
    arguments_digest: intent.argumentsDigest,
    context_digest: intent.contextDigest,
    asked_output_tokens: intent.askedOutputTokens ?? null,
    not_after: ruling.effect === 'allow' ? ruling.grant.notAfter : null,
    snapshot,
    snapshot_digest: digest(DIGEST_TAGS.snapshot, snapshot),
    policy_set_digest: row.policySetDigest,
    price_table_digest: row.priceTableDigest,
    body: bodyOf(answer),
    counters: row.counters,
    phase: row.phase,
  };
}
