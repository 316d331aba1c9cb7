/** Reads, in one statement, every fact that a step's decision needs once its run is locked. */
import { RokError } from '../../domain/errors.js';
import { uuidOf, type Digest, type RunId } from '../../domain/ids.js';
import type { Sql } from '../../domain/sql.js';
import { inOrder, OPEN_WARRANTS, type OpenWarrant } from '../rows/run-row.js';
import type { PastCall, PastHold, RateFacts } from '../snapshot.js';

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
  };
  readonly past_holds: readonly PastHold[];
  /** Authorities that approved this very action of this step, in order of name. */
  readonly approvals: readonly string[];
  readonly recent: readonly PastCall[];
  readonly rechecked: boolean;
  readonly rates: RateFacts | null;
  readonly arguments: string | null;
  readonly base_tokens: string | null;
  readonly added_tokens: string | null;
  readonly added_known: number;
  readonly spent_micros: string | null;
  readonly cap_micros: string | null;
};

/** Facts before they are read. */
export const NOTHING_READ: StepFacts = {
  now_ms: 0,
  halted: false,
  overran: false,
  open: [],
  existing: null,
  past_holds: [],
  approvals: [],
  recent: [],
  rechecked: false,
  rates: null,
  arguments: null,
  base_tokens: null,
  added_tokens: null,
  added_known: 0,
  spent_micros: null,
  cap_micros: null,
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

/** What a step may bring. PostgreSQL makes every part of a statement ready anew each time, whether it finds anything or not. */
type Brings = { readonly arguments: boolean; readonly context: boolean; readonly attempts: boolean };

const ARGUMENTS = '(SELECT a.arguments FROM execute.v_arguments a WHERE a.run_id = r.run_id AND a.digest = $5)';
const NO_ARGUMENTS = '$5::text';
const CONTEXT = `coalesce((SELECT o.token_count FROM decide.openings o WHERE o.run_id = r.run_id AND o.digest = $6),
      (SELECT c.token_count FROM execute.v_contexts c WHERE c.run_id = r.run_id AND c.digest = $6))::text AS base_tokens,
    (SELECT coalesce(sum(c.token_count * u.times), 0)::text FROM execute.v_contents c
      JOIN (SELECT digest, count(*) AS times FROM unnest($7::text[]) AS digest GROUP BY digest) u USING (digest)
      WHERE c.run_id = r.run_id) AS added_tokens,
    (SELECT count(*)::int FROM execute.v_contents c WHERE c.run_id = r.run_id AND c.digest = ANY ($7)) AS added_known`;
const NO_CONTEXT = `$6::text AS base_tokens, '0' AS added_tokens, cardinality($7::text[]) AS added_known`;
const RECHECKED = `EXISTS (SELECT FROM decide.decisions d WHERE d.run_id = r.run_id AND d.step = $2 AND d.attempt < $3
      AND d.action_digest = $4)`;
// The first attempt has none before it.
const NOT_RECHECKED = '$3 < 1';

/**
 * Calls of the turn at hand are left out, because they may still be in flight: what their siblings see must not depend on who
 * is faster. So are those before a hold for NO_PROGRESS that was approved. Model calls count while no skill was called.
 *
 * By their keys, the newest first (LATERAL, OFFSET 0): a plan made while the tables were small would read all of the run.
 */
const RECENT = `(SELECT coalesce(jsonb_agg(jsonb_build_object('request', l.request_digest, 'result', l.result)
        ORDER BY l.step DESC, l.attempt DESC), '[]')
      FROM (SELECT d.step, d.attempt, d.request_digest, coalesce(t.content_digest, t.status || ' ' || coalesce(t.code, t.cause)) AS result
        FROM decide.decisions d
        CROSS JOIN LATERAL (SELECT w.turn FROM decide.reservations w
          WHERE w.run_id = d.run_id AND w.step = d.step AND w.attempt = d.attempt OFFSET 0) w
        CROSS JOIN LATERAL (SELECT * FROM execute.v_results t
          WHERE t.run_id = d.run_id AND t.step = d.step AND t.attempt = d.attempt OFFSET 0) t
        WHERE d.run_id = r.run_id AND d.step >= coalesce(h.progress_from, 0) AND w.turn < $8
          AND d.kind = CASE WHEN coalesce(r.counters -> 'skillCalls', '{}') = '{}' THEN 'model.call' ELSE 'skill.call' END
        ORDER BY d.step DESC, d.attempt DESC LIMIT coalesce((r.limits ->> 'noProgress')::int, 5)) l)`;

/**
 * An answer counts for the step that it was given to, until an attempt of that step succeeded. Only what was rejected stays so
 * for the whole run, but for a step of which just that was approved. A step's first attempt was asked nobody about.
 */
const answersOf = (brings: Brings): string =>
  brings.attempts
    ? `h.step = $2 AND NOT EXISTS (SELECT FROM execute.v_results t WHERE t.run_id = h.run_id AND t.step = h.step
        AND t.attempt >= h.attempt AND t.attempt < $3 AND t.status = 'succeeded')`
    : 'false';

const rejectionsOf = (brings: Brings): string =>
  brings.attempts
    ? `h.resolution = 'rejected' AND (h.step = $2 OR NOT EXISTS (SELECT FROM decide.holds o WHERE o.run_id = h.run_id
        AND o.step = $2 AND o.action_digest = $4 AND o.reason = h.reason AND o.resolution = 'approved'))`
    : `h.resolution = 'rejected'`;

/** Of all holds that ended; in no order, which is cheaper made here. */
const holdsOf = (brings: Brings): string => `SELECT
    coalesce(jsonb_agg(jsonb_build_object('hold', h.hold, 'reason', h.reason, 'authority', h.authority,
      'resolution', h.resolution, 'onTimeout', h.on_timeout))
      FILTER (WHERE h.action_digest = $4 AND ((${rejectionsOf(brings)}) OR (${answersOf(brings)}))), '[]') AS past_holds,
    coalesce(jsonb_object_agg(h.authority, true)
      FILTER (WHERE h.resolution = 'approved' AND h.reason = 'APPROVAL_REQUIRED' AND h.action_digest = $4
        AND ${answersOf(brings)}), '{}') AS approvals,
    max(h.step) FILTER (WHERE h.resolution = 'approved' AND h.reason = 'NO_PROGRESS') AS progress_from
  FROM decide.holds h WHERE h.run_id = r.run_id AND h.resolved_at IS NOT NULL`;

const textFor = (brings: Brings): string =>
  `SELECT floor(extract(epoch FROM clock_timestamp()) * 1000)::float8 AS now_ms,
    EXISTS (SELECT FROM decide.halts_over(r.tenant, r.agent)) AS halted,
    EXISTS (SELECT FROM decide.reservations w WHERE w.run_id = r.run_id
      AND (w.over_micros > 0 OR w.tokens > w.bound_tokens OR w.output_tokens > w.granted_output
        OR w.tokens - w.output_tokens > w.bound_tokens - w.granted_output)) AS overran,
    (${OPEN_WARRANTS}) AS open,
    (SELECT jsonb_build_object('action_digest', d.action_digest, 'body', d.body, 'policy_set_digest', d.policy_set_digest,
        'price_table_digest', d.price_table_digest, 'snapshot_digest', d.snapshot_digest)
      FROM decide.decisions d WHERE d.run_id = r.run_id AND d.step = $2 AND d.attempt = $3) AS existing,
    h.past_holds, h.approvals,
    ${RECENT} AS recent,
    ${brings.attempts ? RECHECKED : NOT_RECHECKED} AS rechecked,
    CASE WHEN EXISTS (SELECT FROM decide.rate_limits) THEN decide.rates_of(r.tenant, r.agent, $9, $10) END AS rates,
    ${brings.arguments ? ARGUMENTS : NO_ARGUMENTS} AS arguments,
    ${brings.context ? CONTEXT : NO_CONTEXT},
    (SELECT a.spent::text FROM decide.accounts a WHERE a.scope = 'run' AND a.subject = r.run_id::text AND a.unit = 'usd_micros') AS spent_micros,
    (SELECT b.cap::text FROM decide.budgets b WHERE b.scope = 'run' AND b.subject = r.run_id::text AND b.unit = 'usd_micros') AS cap_micros
  FROM decide.runs r CROSS JOIN LATERAL (${holdsOf(brings)}) h WHERE r.run_id = $1`;

const texts = new Map<number, string>();
function statementFor(brings: Brings): string {
  const key = Number(brings.arguments) + 2 * Number(brings.context) + 4 * Number(brings.attempts);
  const text = texts.get(key) ?? textFor(brings);
  texts.set(key, text);
  return text;
}

type Read = Omit<StepFacts, 'approvals'> & { readonly approvals: Readonly<Record<string, true>> };

/** What one step's decision reads, after the lock is held. */
export async function readStepFacts(sql: Sql, run: RunId, ask: StepQuestion): Promise<StepFacts> {
  const brings = {
    arguments: ask.argumentsDigest !== null,
    context: ask.base !== null || ask.added.length > 0,
    attempts: ask.attempt > 1,
  };
  const [facts] = await sql.query<Read>(statementFor(brings), [
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
  ]);
  if (facts === undefined) throw new RokError('run_unknown', `no run \`${run}\``);
  return {
    ...facts,
    open: inOrder(facts.open),
    past_holds: [...facts.past_holds].sort((a, b) => a.hold - b.hold),
    approvals: Object.keys(facts.approvals).sort(),
  };
}
