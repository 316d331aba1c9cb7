/** The run's row under its lock, and everything else a decision reads, in two statements. */
import type { Counters, PastHold, RateFacts, Snapshot } from './snapshot.js';
import { NO_COUNTERS } from './snapshot.js';
import type { Digest, RunId } from '../domain/ids.js';
import { uuidOf } from '../domain/ids.js';
import type { Limits } from '../domain/limits.js';
import type { Outcome, Phase } from '../domain/phases.js';
import type { Profile } from '../domain/profiles.js';
import type { Sql } from '../domain/sql.js';
import { RokError } from '../domain/errors.js';
import type { Caller } from './caller.js';
import { historySql, type History } from './history.js';

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
  limits, counters, last_step, decide.policy_set_of(tenant) AS policy_set, (extract(epoch FROM opened_at) * 1000)::float8 AS opened_ms,
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

/** Those that nobody else has locked: a group of runs never waits for one of them. By id, so that groups cannot deadlock. */
export async function lockFreeRows(sql: Sql, runs: readonly RunId[]): Promise<readonly RunRow[]> {
  const rows = await sql.query<RunRow>(
    `SELECT ${RUN_COLUMNS} FROM decide.runs WHERE run_id = ANY ($1) ORDER BY run_id FOR NO KEY UPDATE SKIP LOCKED`,
    [runs.map(uuidOf)],
  );
  return rows.map(told);
}

const told = (row: RunRow): RunRow => ({
  ...row,
  opened_ms: Math.floor(row.opened_ms),
  deadline_ms: Math.floor(row.deadline_ms),
  counters: { ...NO_COUNTERS, ...row.counters },
});

/** Thrown to roll back; whoever catches it records the refusal in a transaction of its own. */
export class NotThisHistory extends Error {
  constructor(readonly runUuid: string) {
    super('another workflow execution is the history of this run');
    this.name = 'NotThisHistory';
  }
}

const OPEN_WARRANTS = `SELECT coalesce(jsonb_agg(jsonb_build_object(
    'step', w.step, 'attempt', w.attempt, 'turn', w.turn, 'state', w.state, 'price_key', w.price_key,
    'bound_micros', w.bound_micros::text, 'bound_tokens', w.bound_tokens, 'target', d.target, 'kind', d.kind,
    'result', CASE WHEN t.status IS NULL THEN NULL ELSE jsonb_build_object('status', t.status,
      'input_tokens', t.input_tokens, 'output_tokens', t.output_tokens, 'cached_tokens', t.cached_tokens, 'reasoning_tokens', t.reasoning_tokens,
      'usage_reported', t.usage_reported) END) ORDER BY w.step, w.attempt), '[]')
  FROM decide.reservations w
  JOIN decide.decisions d ON d.run_id = w.run_id AND d.step = w.step AND d.attempt = w.attempt
  LEFT JOIN execute.v_results t ON t.run_id = w.run_id AND t.step = w.step AND t.attempt = w.attempt
  WHERE w.run_id = r.run_id AND w.closed_at IS NULL`;

export async function openWarrants(sql: Sql, run: RunId): Promise<readonly OpenWarrant[]> {
  const [row] = await sql.query<{ open: readonly OpenWarrant[] }>(
    `SELECT (${OPEN_WARRANTS}) AS open FROM (SELECT $1::uuid AS run_id) r`,
    [uuidOf(run)],
  );
  return row?.open ?? [];
}

export type StepFacts = {
  readonly now_ms: number;
  readonly halted: boolean;
  readonly overran: boolean;
  readonly open: readonly OpenWarrant[];
  readonly existing: null | {
    readonly action_digest: Digest;
    readonly body: unknown;
    readonly policy_set_digest: Digest;
    readonly price_table_digest: Digest;
    readonly snapshot_digest: Digest;
    readonly hold: number | null;
  };
  readonly past_holds: readonly PastHold[];
  readonly history: History;
  readonly rates: RateFacts | null;
  readonly arguments: string | null;
  readonly base_tokens: string | null;
  readonly added_tokens: string | null;
  readonly added_known: number;
  readonly spent_micros: string | null;
  readonly cap_micros: string | null;
};

/** Which facts a step asks for. */
export type StepQuestion = {
  readonly step: number;
  readonly attempt: number;
  readonly kind: string;
  readonly target: string;
  readonly turn: number;
  readonly actionDigest: Digest;
  readonly argumentsDigest: string | null;
  readonly base: string | null;
  readonly added: readonly string[];
};

/** What one step's decision reads, after the lock is held. */
export async function readStepFacts(sql: Sql, run: RunId, ask: StepQuestion): Promise<StepFacts> {
  const [facts] = await sql.query<StepFacts>(
    `SELECT floor(extract(epoch FROM clock_timestamp()) * 1000)::float8 AS now_ms,
      decide.halted(r.tenant, r.agent) AS halted,
      EXISTS (SELECT FROM decide.reservations w WHERE w.run_id = r.run_id AND w.over_micros > 0)
        OR EXISTS (SELECT FROM decide.reservations w WHERE w.run_id = r.run_id AND w.tokens > w.bound_tokens) AS overran,
      (${OPEN_WARRANTS}) AS open,
      (SELECT jsonb_build_object('action_digest', d.action_digest, 'body', d.body, 'policy_set_digest', d.policy_set_digest,
          'price_table_digest', d.price_table_digest, 'snapshot_digest', d.snapshot_digest, 'hold', h.hold)
        FROM decide.decisions d LEFT JOIN decide.holds h USING (run_id, step, attempt)
        WHERE d.run_id = r.run_id AND d.step = $2 AND d.attempt = $3) AS existing,
      (SELECT coalesce(jsonb_agg(jsonb_build_object('hold', h.hold, 'reason', h.reason, 'authority', h.authority,
          'resolution', h.resolution, 'onTimeout', h.on_timeout) ORDER BY h.hold), '[]')
        FROM decide.holds h WHERE h.run_id = r.run_id AND h.action_digest = $4 AND h.resolved_at IS NOT NULL) AS past_holds,
      (${historySql({ step: '$2', attempt: '$3', action: '$4', turn: '$8' })}) AS history,
      decide.rates_of(r.tenant, r.agent, $9, $10) AS rates,
      (SELECT a.arguments FROM execute.v_arguments a WHERE a.run_id = r.run_id AND a.digest = $5) AS arguments,
      coalesce((SELECT o.token_count FROM decide.openings o WHERE o.run_id = r.run_id AND o.digest = $6),
        (SELECT c.token_count FROM execute.v_contexts c WHERE c.run_id = r.run_id AND c.digest = $6))::text AS base_tokens,
      (SELECT coalesce(sum(c.token_count * u.times), 0)::text FROM execute.v_contents c
        JOIN (SELECT digest, count(*) AS times FROM unnest($7::text[]) AS digest GROUP BY digest) u USING (digest)
        WHERE c.run_id = r.run_id) AS added_tokens,
      (SELECT count(*)::int FROM execute.v_contents c WHERE c.run_id = r.run_id AND c.digest = ANY ($7)) AS added_known,
      (SELECT a.spent::text FROM decide.accounts a WHERE a.scope = 'run' AND a.subject = r.run_id::text AND a.unit = 'usd_micros') AS spent_micros,
      (SELECT b.cap::text FROM decide.budgets b WHERE b.scope = 'run' AND b.subject = r.run_id::text AND b.unit = 'usd_micros') AS cap_micros
    FROM decide.runs r WHERE r.run_id = $1`,
    [
      uuidOf(run),
      ask.step,
      ask.attempt,
      ask.actionDigest,
      ask.argumentsDigest,
      ask.base,
      ask.added,
      ask.turn,
      ask.kind,
      ask.target,
    ],
  );
  if (facts === undefined) throw new RokError('run_unknown', `no run \`${run}\``);
  return facts;
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
