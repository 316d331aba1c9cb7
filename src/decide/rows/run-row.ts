/** Reads and locks a run's row, with its open warrants. */
import type { Counters, Snapshot } from '../snapshot.js';
import { NO_COUNTERS } from '../snapshot.js';
import type { Digest, RunId } from '../../domain/ids.js';
import { uuidOf } from '../../domain/ids.js';
import type { Limits } from '../../domain/limits.js';
import type { Outcome, Phase } from '../../domain/phases.js';
import type { Profile } from '../../domain/profiles.js';
import type { Sql } from '../../domain/sql.js';
import { RokError } from '../../domain/errors.js';
import type { Caller } from '../actors/caller.js';

export type RunRow = {
  readonly run_id: string;
  readonly tenant: string;
  readonly agent: string;
  readonly workflow_id: string;
  readonly temporal_run_id: string;
  readonly phase: Phase;
  readonly outcome: Outcome | null;
  readonly profile: Profile;
  readonly agent_digest: Digest | null;
  readonly actor: { readonly name: string; readonly roles: readonly string[]; readonly issuer: string };
  readonly labels: Readonly<Record<string, string>>;
  readonly limits: Limits;
  readonly counters: Counters;
  readonly last_step: number;
  /** The published set in force for the tenant; null: the deployed one. */
  readonly policy_set: Digest | null;
  readonly opened_ms: number;
  readonly deadline_ms: number;
};

/** A warrant that is not closed, with its result where there is one. */
export type OpenWarrant = {
  readonly step: number;
  readonly attempt: number;
  readonly turn: number;
  readonly state: 'issued' | 'redeemed';
  readonly price_key: string | null;
  readonly bound_micros: string;
  readonly bound_tokens: number;
  /** Of bound_tokens, the output limit; null of what is no model call. */
  readonly granted_output: number | null;
  /** The table that its decision named, by which it is settled. */
  readonly price_table: Digest;
  readonly target: string;
  readonly kind: string;
  readonly result: null | {
    readonly status: 'succeeded' | 'failed' | 'unknown';
    readonly input_tokens: number;
    readonly output_tokens: number;
    readonly cached_tokens: number;
    readonly reasoning_tokens: number;
    readonly usage_reported: boolean;
  };
};

const RUN_COLUMNS = `run_id, tenant, agent, workflow_id, temporal_run_id, phase, outcome, profile, agent_digest, actor, labels,
  limits, counters, last_step, (SELECT p.digest FROM decide.policy_set_in_force(tenant) p) AS policy_set, (extract(epoch FROM opened_at) * 1000)::float8 AS opened_ms,
  (extract(epoch FROM run_deadline) * 1000)::float8 AS deadline_ms`;

/**
 * Locks the run's row and refuses any execution but its own history.
 * @throws RokError `run_unknown`; `NotThisHistory` when another execution is the run's history
 */
export async function lockRun(sql: Sql, run: RunId, caller: Caller): Promise<RunRow> {
  const row = await lockRow(sql, run);
  if (row.temporal_run_id !== caller.temporalRunId) throw new NotThisHistory(row.run_id);
  return row;
}

/** Whoever's history it is: for repair alone. */
export async function lockRow(sql: Sql, run: RunId): Promise<RunRow> {
  const [row] = await sql.query<RunRow>(`SELECT ${RUN_COLUMNS} FROM decide.runs WHERE run_id = $1 FOR NO KEY UPDATE`, [
    uuidOf(run),
  ]);
  if (row === undefined) throw new RokError('run_unknown', `no run \`${run}\``);
  return told(row);
}

/** Those that nobody else has locked: a batch of runs never waits for one of them. By id, so that batches cannot deadlock. */
export async function lockFreeRows(sql: Sql, runs: readonly RunId[]): Promise<readonly RunRow[]> {
  const rows = await sql.query<RunRow>(
    `SELECT ${RUN_COLUMNS} FROM decide.runs WHERE run_id = ANY ($1) ORDER BY run_id FOR NO KEY UPDATE SKIP LOCKED`,
    [runs.map(uuidOf)],
  );
  return rows.map(told);
}

export type FreeRow = RunRow & {
  /** A skill's, as the content store has them: what has a digest does not change, so they need no lock. */
  readonly arguments: string | null;
};

/** As lockFreeRows for one, which is nearly always the case. */
export async function lockFreeRow(sql: Sql, run: RunId, argumentsDigest: string | null): Promise<FreeRow | null> {
  const [row] = await sql.query<FreeRow>(
    `SELECT ${RUN_COLUMNS}, ${argumentsDigest === null ? '$2::text' : STORED_ARGUMENTS} AS arguments
    FROM decide.runs r WHERE run_id = $1 FOR NO KEY UPDATE SKIP LOCKED`,
    [uuidOf(run), argumentsDigest],
  );
  return row === undefined ? null : { ...told(row), arguments: row.arguments };
}
const STORED_ARGUMENTS = '(SELECT a.arguments FROM execute.v_arguments a WHERE a.run_id = r.run_id AND a.digest = $2)';

const told = (row: RunRow): RunRow => ({
  ...row,
  opened_ms: Math.floor(row.opened_ms),
  deadline_ms: Math.floor(row.deadline_ms),
  counters: { ...NO_COUNTERS, ...row.counters },
});

/** Thrown to roll back; whoever catches it records the refusal in a transaction of its own. */
export class NotThisHistory extends Error {
  readonly code: 'not_this_history' | 'id_conflict';

  /** @param conflict where it asks for something else than the run was asked for */
  constructor(
    readonly runUuid: string,
    conflict?: string,
  ) {
    super(conflict ?? 'another workflow execution is the history of this run');
    this.name = 'NotThisHistory';
    this.code = conflict === undefined ? 'not_this_history' : 'id_conflict';
  }
}

/**
 * Of `r.run_id`, as one value, in no order. Looked up by their keys (LATERAL, OFFSET 0): a plan made while the tables were small would read
 * all that the run ever did.
 */
export const OPEN_WARRANTS = `SELECT coalesce(jsonb_agg(jsonb_build_object(
    'step', w.step, 'attempt', w.attempt, 'turn', w.turn, 'state', w.state, 'price_key', w.price_key,
    'bound_micros', w.bound_micros::text, 'bound_tokens', w.bound_tokens, 'granted_output', w.granted_output,
    'price_table', d.price_table_digest, 'target', d.target, 'kind', d.kind,
    'result', CASE WHEN t.status IS NULL THEN NULL ELSE jsonb_build_object('status', t.status,
      'input_tokens', t.input_tokens, 'output_tokens', t.output_tokens, 'cached_tokens', t.cached_tokens, 'reasoning_tokens', t.reasoning_tokens,
      'usage_reported', t.usage_reported) END)), '[]')
  FROM decide.reservations w
  CROSS JOIN LATERAL (SELECT d.target, d.kind, d.price_table_digest FROM decide.decisions d
    WHERE d.run_id = w.run_id AND d.step = w.step AND d.attempt = w.attempt OFFSET 0) d
  LEFT JOIN LATERAL (SELECT * FROM execute.v_results t
    WHERE t.run_id = w.run_id AND t.step = w.step AND t.attempt = w.attempt OFFSET 0) t ON true
  WHERE w.run_id = r.run_id AND w.closed_at IS NULL`;

/** By step and attempt. Sorted by the database they would be found in that order, by the key of all that there ever were. */
export const inOrder = (warrants: readonly OpenWarrant[]): readonly OpenWarrant[] =>
  [...warrants].sort((a, b) => a.step - b.step || a.attempt - b.attempt);

export async function openWarrants(sql: Sql, run: RunId): Promise<readonly OpenWarrant[]> {
  const [row] = await sql.query<{ open: readonly OpenWarrant[] }>(
    `SELECT (${OPEN_WARRANTS}) AS open FROM (SELECT $1::uuid AS run_id) r`,
    [uuidOf(run)],
  );
  return inOrder(row?.open ?? []);
}

/** What a decision depends on of the run's row. */
export const runFacts = (row: RunRow): Snapshot['run'] => ({
  tenant: row.tenant,
  agent: row.agent,
  profile: row.profile,
  openedMs: row.opened_ms,
  deadlineMs: row.deadline_ms,
  outcome: row.outcome,
  labels: row.labels,
  actor: { name: row.actor.name, roles: row.actor.roles },
});
