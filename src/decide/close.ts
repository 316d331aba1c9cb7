/** The end of a run, in its fixed order: latch with `run.outcome`, finalize; and repair, which begins the end for a run that cannot. */
import { NO_CONTEXT } from '../domain/context.js';
import { digest, DIGEST_TAGS } from '../domain/digest.js';
import { runIdOf, uuidOf, type RunId } from '../domain/ids.js';
import { actionDigest, type Intent } from '../domain/intent.js';
import { isTerminal, transition, type Outcome, type Phase } from '../domain/phases.js';
import type {
  FinalizeAnswer,
  LatchAnswer,
  LatchRequest,
  RepairAnswer,
  RepairRequest,
} from '../domain/protocol/decide.js';
import type { Sql } from '../domain/sql.js';
import { RokError } from '../domain/errors.js';
import type { Caller } from './caller.js';
import type { Deciders } from './deciders.js';
import { writeDecision } from './decision-row.js';
import { endHold, openHolds } from './holds.js';
import { fence, settleAndReserve, settlementOf } from './ledger.js';
import { storable } from '../domain/text.js';
import { lockRun, openWarrants, runFacts, type OpenWarrant, type RunRow } from './run-row.js';
import { agentFacts, nothingAsked, type Snapshot } from './snapshot.js';

/**
 * Fixes the outcome and decides `run.outcome` on it, which may turn `succeeded` into `policy_stopped` and nothing else.
 * Latched already: the first outcome stands, and is what is answered.
 */
export async function latch(sql: Sql, deciders: Deciders, caller: Caller, request: LatchRequest): Promise<LatchAnswer> {
  const { run } = request;
  const [row, [known], facts] = await Promise.all([
    lockRun(sql, run, caller),
    outcomeDecision(sql, run),
    closingFacts(sql, run),
  ]);
  const outcome = await latchRow(sql, run, row, request.outcome, request.detail);
  if (known !== undefined) return { outcome, decision: known };
  if (isTerminal(row.phase)) return { outcome, decision: null };
  return decideOutcome(sql, deciders, run, { ...row, phase: 'FINALIZING', outcome }, facts);
}

const outcomeDecision = (sql: Sql, run: RunId) =>
  sql.query<{ step: number; attempt: number }>(
    `SELECT step, attempt FROM decide.decisions WHERE run_id = $1 AND kind = 'run.outcome'`,
    [uuidOf(run)],
  );

async function latchRow(sql: Sql, run: RunId, row: RunRow, outcome: Outcome, detail: string): Promise<Outcome> {
  const moved = transition({ phase: row.phase, outcome: row.outcome }, { type: 'latch', outcome });
  if (!moved.ok) return row.outcome ?? outcome;
  await sql.query(
    'UPDATE decide.runs SET phase = $2, outcome = $3, detail = $4, latched_at = clock_timestamp() WHERE run_id = $1',
    [uuidOf(run), moved.state.phase, outcome, storable(detail, 2000)],
  );
  for (const hold of await openHolds(sql, run)) await endHold(sql, run, hold, 'ended');
  return outcome;
}

async function decideOutcome(
  sql: Sql,
  deciders: Deciders,
  run: RunId,
  row: RunRow & { readonly outcome: Outcome },
  facts: ClosingFacts,
): Promise<LatchAnswer> {
  const intent: Intent = {
    step: row.last_step + 1,
    attempt: 1,
    kind: 'run.outcome',
    target: row.outcome,
    argumentsDigest: digest(DIGEST_TAGS.outcome, row.outcome),
    contextDigest: NO_CONTEXT,
  };
  const snapshot = closingSnapshot(deciders, row, facts);
  const { checker, policies } = await deciders.sets.of(sql, row.policy_set);
  const answer = checker.check(intent, snapshot);
  const stopped = row.outcome === 'succeeded' && answer.ruling.effect !== 'allow';
  await writeDecision(sql, {
    run,
    intent,
    actionDigest: actionDigest(intent),
    snapshot,
    answer,
    policySetDigest: policies.digest,
    priceTableDigest: deciders.prices.digest,
    counters: row.counters,
    phase: row.phase,
  });
  if (stopped) await sql.query(`UPDATE decide.runs SET outcome = 'policy_stopped' WHERE run_id = $1`, [uuidOf(run)]);
  return { outcome: stopped ? 'policy_stopped' : row.outcome, decision: { step: intent.step, attempt: 1 } };
}

type ClosingFacts = { readonly now_ms: number; readonly spent: string | null };

async function closingFacts(sql: Sql, run: RunId): Promise<ClosingFacts> {
  const [facts] = await sql.query<ClosingFacts>(
    `SELECT floor(extract(epoch FROM clock_timestamp()) * 1000)::float8 AS now_ms,
      (SELECT spent::text FROM decide.accounts WHERE scope = 'run' AND subject = $1::text AND unit = 'usd_micros') AS spent`,
    [uuidOf(run)],
  );
  return facts ?? { now_ms: 0, spent: null };
}

function closingSnapshot(deciders: Deciders, row: RunRow, facts: ClosingFacts): Snapshot {
  return {
    nowMs: facts.now_ms,
    run: runFacts(row),
    agent: agentFacts(deciders.agents.get(row.agent) ?? null),
    limits: row.limits,
    counters: row.counters,
    // A halted run still ends: its outcome is judged by policies, not stopped again.
    halted: false,
    problems: [],
    ...nothingAsked(row.limits, facts.spent ?? '0'),
  };
}

/** Settles everything, sets the terminal phase and acks `finalize_run`: one transaction. Again: the same answer. */
export async function finalize(
  sql: Sql,
  deciders: Deciders,
  caller: Caller,
  request: LatchRequest,
): Promise<FinalizeAnswer> {
  const { run } = request;
  const [row, open] = await Promise.all([lockRun(sql, run, caller), openWarrants(sql, run)]);
  if (!isTerminal(row.phase)) {
    const outcome = await latchRow(sql, run, row, request.outcome, request.detail);
    const moved = transition({ phase: 'FINALIZING', outcome }, { type: 'finalize' });
    if (!moved.ok) throw new RokError('run_closed', `the run cannot be finalized: ${moved.error}`);
    await settleAll(sql, deciders, run, open);
    // Sent together and run in this order.
    const [, , final] = await Promise.all([
      sql.query('UPDATE decide.runs SET phase = $2, ended_at = clock_timestamp() WHERE run_id = $1', [
        uuidOf(run),
        moved.state.phase,
      ]),
      sql.query(`SELECT audit.ack($1, 'orchestrator', 'finalize_run', 'done', '{"table":"decide.runs"}')`, [
        uuidOf(run),
      ]),
      readFinal(sql, run),
    ]);
    return final;
  }
  return readFinal(sql, run);
}

async function settleAll(sql: Sql, deciders: Deciders, run: RunId, known: readonly OpenWarrant[]): Promise<void> {
  const open = (await fence(sql, run, known)) ? await openWarrants(sql, run) : known;
  await settleAndReserve(
    sql,
    run,
    open.map((warrant) => settlementOf(deciders.prices, warrant)),
    null,
  );
}

async function readFinal(sql: Sql, run: RunId): Promise<FinalizeAnswer> {
  const [final] = await sql.query<{
    phase: Phase;
    outcome: Outcome;
    spent: string;
    tokens: string;
    allow: number;
    deny: number;
    pause: number;
    attempts: number;
    on_time: boolean;
  }>(
    `SELECT r.phase, r.outcome, coalesce(w.spent, 0)::text AS spent, coalesce(w.tokens, 0)::text AS tokens, coalesce(w.attempts, 0)::int AS attempts,
      d.allow, d.deny, d.pause, coalesce(r.ended_at <= c.finalize_due, false) AS on_time
    FROM decide.runs r LEFT JOIN audit.v_contracts c USING (run_id),
      LATERAL (SELECT count(*) FILTER (WHERE effect = 'allow')::int AS allow, count(*) FILTER (WHERE effect = 'deny')::int AS deny,
        count(*) FILTER (WHERE effect = 'pause')::int AS pause FROM decide.decisions WHERE run_id = r.run_id) d,
      LATERAL (SELECT sum(spent_micros + over_micros) AS spent, sum(tokens) AS tokens, count(*) FILTER (WHERE redeemed_at IS NOT NULL) AS attempts
        FROM decide.reservations WHERE run_id = r.run_id) w
    WHERE r.run_id = $1`,
    [uuidOf(run)],
  );
  if (final === undefined) throw new RokError('run_unknown', `no run \`${run}\``);
  const { allow, deny, pause } = final;
  return {
    phase: final.phase,
    outcome: final.outcome,
    spentMicros: final.spent,
    tokens: Number(final.tokens),
    decisions: { allow, deny, pause },
    attempts: final.attempts,
    onTime: final.on_time,
  };
}

/**
 * Makes the asking execution the run's history, only where the verdict is STALE or Temporal said that the workflow is closed,
 * and latches `forced`. From then on a workflow that wakes up late is served nothing.
 */
export async function repair(sql: Sql, caller: Caller, request: RepairRequest): Promise<RepairAnswer> {
  const uuid = uuidOf(request.run);
  const [state] = await sql.query<{ phase: Phase; temporal_run_id: string; may: boolean }>(
    `SELECT r.phase, r.temporal_run_id, EXISTS (SELECT FROM audit.v_verdicts v WHERE v.run_id = r.run_id AND v.status = 'STALE')
        OR EXISTS (SELECT FROM audit.v_orphans o WHERE o.run_id = r.run_id) AS may
    FROM decide.runs r WHERE r.run_id = $1 FOR NO KEY UPDATE OF r`,
    [uuid],
  );
  if (state === undefined) throw new RokError('run_unknown', `no run \`${request.run}\``);
  if (isTerminal(state.phase)) return { adopted: false, phase: state.phase };
  if (state.temporal_run_id !== caller.temporalRunId) {
    if (!state.may) throw new RokError('not_this_history', 'the run is neither STALE nor is its workflow closed');
    await sql.query(
      `WITH moved AS (UPDATE decide.runs SET temporal_run_id = $2 WHERE run_id = $1)
      INSERT INTO decide.histories (run_id, temporal_run_id, workflow_id, reason) VALUES ($1, $2, $3, 'repair')`,
      [uuid, caller.temporalRunId, caller.workflowId],
    );
  }
  const row = await lockRun(sql, runIdOf(uuid), caller);
  const outcome = await latchRow(sql, request.run, row, 'forced', `repaired: ${request.reason}`);
  const [grace] = await sql.query<{ grace_ms: number }>(
    'SELECT (extract(epoch FROM finalize_due - run_deadline) * 1000)::float8 AS grace_ms FROM audit.v_contracts WHERE run_id = $1',
    [uuid],
  );
  return {
    adopted: true,
    tenant: row.tenant,
    agent: row.agent,
    outcome,
    lastStep: row.last_step,
    graceMs: grace?.grace_ms ?? 60_000,
  };
}
