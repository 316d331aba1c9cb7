/**
 * Writes decisions with their snapshots, and moves their runs' counters, in one statement. Written once: a repeat changes
 * nothing.
 */
import { digest, DIGEST_TAGS } from '../../domain/digest.js';
import { canonicalJson } from '../../domain/canonical-json.js';
import type { Digest, RunId } from '../../domain/ids.js';
import { uuidOf } from '../../domain/ids.js';
import { requestDigest, type Intent } from '../../domain/intent.js';
import type { Phase } from '../../domain/phases.js';
import type { Sql } from '../../domain/sql.js';
import type { Answer } from '../policy-checker.js';
import type { Counters, Snapshot } from '../snapshot.js';

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

/** At most one to a run. Not waited for: they are sent with what comes after them, the commit at the latest. */
export function writeDecisions(sql: Sql, rows: readonly DecisionRow[]): readonly Written[] {
  const columns = rows.map(columnsOf);
  const [first] = columns;
  // Nearly always one: without a list it is a third of the work.
  if (first !== undefined && columns.length === 1) void sql.query(WRITE_DECISION, valuesOf(first));
  else void sql.query(WRITE_DECISIONS, [JSON.stringify(columns)]);
  return columns.map((row) => ({
    snapshotDigest: row.snapshot_digest,
    policySetDigest: row.policy_set_digest,
    priceTableDigest: row.price_table_digest,
  }));
}

/** Columns of decide.decisions, then what goes elsewhere; in the order of the values. */
const STORED = [
  'run_id',
  'step',
  'attempt',
  'kind',
  'target',
  'access',
  'effect',
  'action_digest',
  'request_digest',
  'arguments_digest',
  'context_digest',
  'asked_output_tokens',
  'not_after',
  'snapshot_digest',
  'policy_set_digest',
  'price_table_digest',
  'body',
] as const satisfies readonly (keyof ReturnType<typeof columnsOf>)[];
const ELSEWHERE = ['snapshot', 'counters', 'phase'] as const satisfies readonly (keyof ReturnType<typeof columnsOf>)[];

const place = (name: (typeof STORED)[number] | (typeof ELSEWHERE)[number]): string =>
  `$${String([...STORED, ...ELSEWHERE].indexOf(name) + 1)}`;
const valuesOf = (row: ReturnType<typeof columnsOf>): readonly unknown[] =>
  [...STORED, ...ELSEWHERE].map((name) => row[name]);

const WRITE_DECISION = `WITH kept AS (
    INSERT INTO decide.snapshots (run_id, digest, body)
    VALUES (${place('run_id')}, ${place('snapshot_digest')}, ${place('snapshot')}) ON CONFLICT DO NOTHING),
  moved AS (
    UPDATE decide.runs SET counters = ${place('counters')}, phase = ${place('phase')},
      last_step = greatest(last_step, ${place('step')})
    WHERE run_id = ${place('run_id')})
  INSERT INTO decide.decisions (${STORED.join(', ')}) VALUES (${STORED.map(place).join(', ')})`;

// The runs are looked up, each by itself: the planner takes the list for a hundred rows and would read all runs there are.
const WRITE_DECISIONS = `WITH d AS MATERIALIZED (
    SELECT * FROM jsonb_to_recordset($1) AS d(run_id uuid, step integer, attempt integer, kind text, target text, access text,
      effect text, action_digest text, request_digest text, arguments_digest text, context_digest text,
      asked_output_tokens integer, not_after timestamptz, snapshot text, snapshot_digest text, policy_set_digest text,
      price_table_digest text, body jsonb, counters jsonb, phase text)),
  kept AS (INSERT INTO decide.snapshots (run_id, digest, body)
    SELECT run_id, snapshot_digest, snapshot FROM d ON CONFLICT DO NOTHING),
  moved AS (UPDATE decide.runs r SET counters = d.counters, phase = d.phase, last_step = greatest(r.last_step, d.step)
    FROM (SELECT d.*, o.place FROM d
      CROSS JOIN LATERAL (SELECT o.ctid AS place FROM decide.runs o WHERE o.run_id = d.run_id OFFSET 0) o) d
    WHERE r.ctid = d.place)
  INSERT INTO decide.decisions (${STORED.join(', ')}) SELECT ${STORED.join(', ')} FROM d`;

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
