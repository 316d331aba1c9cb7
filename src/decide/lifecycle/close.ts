/**
 * The deciding power's part of a run's end, in fixed order: latch the outcome with `run.outcome`, then finalize.
 * repair.ts begins the end of a run that cannot do so itself.
 */
import { NO_CONTEXT } from '../../domain/context.js';
import { digest, DIGEST_TAGS } from '../../domain/digest.js';
import { uuidOf, type RunId } from '../../domain/ids.js';
import { actionDigest, type Intent } from '../../domain/intent.js';
import { isTerminal, transition, type Outcome, type Phase } from '../../domain/phases.js';
import type { FinalizeAnswer, LatchAnswer, LatchRequest } from '../../domain/protocol/decide.js';
import type { Sql } from '../../domain/sql.js';
import { RokError } from '../../domain/errors.js';
import type { Caller } from '../actors/caller.js';
import type { DecideDeps } from '../deps.js';
import { writeDecision } from '../rows/decision-row.js';
import { endedHolds, endHold, openHolds } from './holds.js';
import { fence, settleAndReserve, settlementOf } from '../ledger/ledger.js';
import { storable } from '../../domain/text.js';
import { lockRun, openWarrants, runFacts, type OpenWarrant, type RunRow } from '../rows/run-row.js';
import { agentFacts, nothingAsked, type Snapshot } from '../snapshot.js';

/**
 * Fixes the outcome and decides `run.outcome` on it, which may turn `succeeded` into `policy_stopped` and nothing else.
 * Latched already: the first outcome stands, and is what is answered.
 */
export async function latch(sql: Sql, deps: DecideDeps, caller: Caller, request: LatchRequest): Promise<LatchAnswer> {
  const { run } = request;
  const [row, [known]] = await Promise.all([lockRun(sql, run, caller), outcomeDecision(sql, run)]);
  const outcome = await latchRow(sql, run, row, request);
  // Read after the holds have ended, which gave time back.
  const [facts, holds] = await Promise.all([closingFacts(sql, run), endedHolds(sql, run)]);
  const decided =
    known !== undefined || isTerminal(row.phase)
      ? { outcome, decision: known ?? null }
      : await decideOutcome(sql, deps, run, { ...row, phase: 'FINALIZING', outcome }, facts);
  return { ...decided, holds, ...(facts.due_in_ms === null ? {} : { dueInMs: facts.due_in_ms }) };
}

const outcomeDecision = (sql: Sql, run: RunId) =>
  sql.query<{ step: number; attempt: number }>(
    `SELECT step, attempt FROM decide.decisions WHERE run_id = $1 AND kind = 'run.outcome'`,
    [uuidOf(run)],
  );

/** An own workflow may give back anything, and the close must not fail on it: the judge says what is no answer. */
const storableAnswer = (answer: unknown): string | null =>
  answer === null || answer === undefined ? null : storable(typeof answer === 'string' ? answer : typeof answer, 128);

/** Latched already: the first outcome stands. */
export async function latchRow(
  sql: Sql,
  run: RunId,
  row: RunRow,
  { outcome, detail, answer }: Omit<LatchRequest, 'run'>,
): Promise<Outcome> {
  const moved = transition({ phase: row.phase, outcome: row.outcome }, { type: 'latch', outcome });
  if (!moved.ok) return row.outcome ?? outcome;
  void sql.query(
    `UPDATE decide.runs SET phase = $2, outcome = $3, detail = $4, answer = $5
    WHERE run_id = $1`,
    [uuidOf(run), moved.state.phase, outcome, storable(detail, 2000), storableAnswer(answer)],
  );
  for (const hold of await openHolds(sql, run)) await endHold(sql, run, hold, 'ended');
  return outcome;
}

async function decideOutcome(
  sql: Sql,
  deps: DecideDeps,
  run: RunId,
  row: RunRow & { readonly outcome: Outcome },
  facts: ClosingFacts,
): Promise<Omit<LatchAnswer, 'holds'>> {
  const intent: Intent = {
    step: row.last_step + 1,
    attempt: 1,
    kind: 'run.outcome',
    target: row.outcome,
    argumentsDigest: digest(DIGEST_TAGS.outcome, row.outcome),
    contextDigest: NO_CONTEXT,
  };
  const snapshot = closingSnapshot(deps, row, facts);
  const { checker, policies } = await deps.sets.of(sql, row.policy_set);
  const { answer } = checker.check(intent, snapshot);
  const stopped = row.outcome === 'succeeded' && answer.ruling.effect !== 'allow';
  writeDecision(sql, {
    run,
    intent,
    actionDigest: actionDigest(intent),
    snapshot,
    answer,
    policySetDigest: policies.digest,
    priceTableDigest: deps.prices.digest,
    counters: row.counters,
    phase: row.phase,
  });
  if (stopped) void sql.query(`UPDATE decide.runs SET outcome = 'policy_stopped' WHERE run_id = $1`, [uuidOf(run)]);
  return { outcome: stopped ? 'policy_stopped' : row.outcome, decision: { step: intent.step, attempt: 1 } };
}

type ClosingFacts = {
  readonly now_ms: number;
  readonly spent: string | null;
  /** Null: without a contract. */
  readonly due_in_ms: number | null;
};

export async function closingFacts(sql: Sql, run: RunId): Promise<ClosingFacts> {
  const [facts] = await sql.query<ClosingFacts>(
    `SELECT floor(extract(epoch FROM clock_timestamp()) * 1000)::float8 AS now_ms,
      (SELECT spent::text FROM decide.accounts WHERE scope = 'run' AND subject = $1::text AND unit = 'usd_micros') AS spent,
      (SELECT floor(extract(epoch FROM c.finalize_due - clock_timestamp()) * 1000)::float8 FROM audit.v_contracts c
        WHERE c.run_id = $1::uuid) AS due_in_ms`,
    [uuidOf(run)],
  );
  return facts ?? { now_ms: 0, spent: null, due_in_ms: null };
}

/** For what is decided of a run that ends: no call is meant. */
export function closingSnapshot(deps: DecideDeps, row: RunRow, facts: ClosingFacts): Snapshot {
  return {
    nowMs: facts.now_ms,
    run: runFacts(row),
    agent: agentFacts(deps.agents.get(row.agent) ?? null),
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
  deps: DecideDeps,
  caller: Caller,
  request: LatchRequest,
): Promise<FinalizeAnswer> {
  const { run } = request;
  const [row, open] = await Promise.all([lockRun(sql, run, caller), openWarrants(sql, run)]);
  if (!isTerminal(row.phase)) {
    const outcome = await latchRow(sql, run, row, request);
    const moved = transition({ phase: 'FINALIZING', outcome }, { type: 'finalize' });
    if (!moved.ok) throw new RokError('run_closed', `the run cannot be finalized: ${moved.error}`);
    await settleAll(sql, deps, run, open);
    // Sent together and run in this order.
    const [, , final] = await Promise.all([
      sql.query('UPDATE decide.runs SET phase = $2 WHERE run_id = $1', [uuidOf(run), moved.state.phase]),
      sql.query(`SELECT audit.ack($1, 'orchestrator', 'finalize_run', 'done', '{"table":"decide.runs"}')`, [
        uuidOf(run),
      ]),
      readFinal(sql, run),
    ]);
    return final;
  }
  return readFinal(sql, run);
}

async function settleAll(sql: Sql, deps: DecideDeps, run: RunId, known: readonly OpenWarrant[]): Promise<void> {
  const open = (await fence(sql, run, known)) ? await openWarrants(sql, run) : known;
  const prices = await deps.tables.read(sql, open);
  await settleAndReserve(
    sql,
    run,
    open.map((warrant) => settlementOf(prices, warrant)),
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
