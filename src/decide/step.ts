/**
 * One step's decision, in one transaction that holds the run's row: settle what is over, take the snapshot, check, reserve,
 * write. Asked again with the same key it gives the same answer; with another digest it names the next free attempt.
 */
import { uuidOf, type Digest } from '../domain/ids.js';
import type { StepAnswer, StepRequest } from '../domain/protocol/decide.js';
import type { Ruling } from '../domain/decision.js';
import type { Sql } from '../domain/sql.js';
import type { Caller } from './caller.js';
import { blockingRates } from './checks/rates.js';
import type { Deciders } from './deciders.js';
import { writeDecision, type Written } from './decision-row.js';
import { holdOf, openHold } from './holds.js';
import { fence, rateAndReserve, settleAndReserve, settlementOf } from './ledger.js';
import type { Answer } from './policy-checker.js';
import { lockRun, openWarrants, type RunRow } from './run-row.js';
import type { Snapshot } from './snapshot.js';
import { readStepFacts, type StepFacts } from './step-facts.js';
import { admits, decisionOf, overNow, questionOf, soundAction, weigh, type Weighed } from './weighing.js';

export async function decideStep(sql: Sql, given: Deciders, caller: Caller, request: StepRequest): Promise<StepAnswer> {
  const { run, intent } = request;
  const action = soundAction(request);
  // Sent together: the facts are read after the lock is held, because statements of one connection are run in order.
  const [row, facts] = await Promise.all([
    lockRun(sql, run, caller),
    readStepFacts(sql, run, questionOf(request, action)),
  ]);
  const deciders = { ...given, ...(await given.sets.of(sql, row.policy_set)) };
  if (facts.existing?.action_digest === action) return repeat(sql, request, facts, row, action);
  // Closed before conflict: the latch's own decision has a number that a late step may ask for.
  if (!admits(row.phase, intent)) return { kind: 'closed', phase: row.phase, outcome: row.outcome };
  if (facts.existing !== null) return { kind: 'conflict', nextAttempt: await voidAndCount(sql, deciders, request) };

  const over = overNow(facts.open, request);
  const warrants = (await fence(sql, run, over)) ? overNow(await openWarrants(sql, run), request) : over;
  const settling = { warrants, prices: await deciders.tables.read(sql, warrants) };
  const weighed = weigh(deciders, request, action, row, facts, settling);
  const { answer, snapshot } = await ruled(sql, deciders, request, weighed);
  const written = writeDecision(sql, decisionOf(deciders, request, weighed, row, answer, snapshot));
  const { ruling } = answer;
  const hold =
    ruling.effect === 'pause'
      ? (
          await openHold(sql, run, {
            step: intent.step,
            attempt: intent.attempt,
            actionDigest: action,
            terms: ruling.hold,
            by: 'policy',
          })
        ).hold
      : null;
  return told(ruling, action, written, answer, hold, row, facts);
}

async function ruled(
  sql: Sql,
  deciders: Deciders,
  { run, intent }: StepRequest,
  { before, settlements, first, ask }: Weighed,
): Promise<{ readonly answer: Answer; readonly snapshot: Snapshot }> {
  if (ask === null) {
    await settleAndReserve(sql, run, settlements, null);
    return { answer: first, snapshot: before };
  }
  const { ledger, rates } =
    before.rates === null
      ? { ledger: await settleAndReserve(sql, run, settlements, ask), rates: null }
      : await rateAndReserve(sql, run, settlements, ask, {
          kind: intent.kind,
          target: intent.target,
          blocking: blockingRates(before),
        });
  return {
    answer: deciders.checker.checkLedger(intent, before, ledger, rates),
    snapshot: { ...before, ledger, rates },
  };
}

async function voidAndCount(sql: Sql, deciders: Deciders, request: StepRequest): Promise<number> {
  const own = (await openWarrants(sql, request.run)).filter(
    (warrant) => warrant.step === request.intent.step && warrant.state === 'issued',
  );
  const prices = await deciders.tables.read(sql, own);
  await settleAndReserve(
    sql,
    request.run,
    own.map((warrant) => settlementOf(prices, warrant)),
    null,
  );
  const [next] = await sql.query<{ next: number }>(
    'SELECT max(attempt) + 1 AS next FROM decide.decisions WHERE run_id = $1 AND step = $2',
    [uuidOf(request.run), request.intent.step],
  );
  return next?.next ?? request.intent.attempt + 1;
}

type StoredBody = Ruling & {
  readonly errors: unknown;
  readonly determining: readonly string[];
  readonly notices: readonly { readonly text: string }[];
};

async function repeat(
  sql: Sql,
  { run, intent }: StepRequest,
  facts: StepFacts,
  row: RunRow,
  action: Digest,
): Promise<StepAnswer> {
  const existing = facts.existing;
  if (existing === null) throw new Error('no decision to repeat');
  const { determining, notices, errors: _errors, ...ruling } = existing.body as StoredBody;
  const digests = {
    snapshotDigest: existing.snapshot_digest,
    policySetDigest: existing.policy_set_digest,
    priceTableDigest: existing.price_table_digest,
  };
  const held =
    ruling.effect === 'pause'
      ? await holdOf(sql, run, { step: intent.step, attempt: intent.attempt, reason: ruling.hold.reason })
      : undefined;
  return told(ruling, action, digests, { determining, notices }, held?.hold ?? null, row, facts);
}

/** What the workflow hears of a decision that is written. */
export function told(
  ruling: Ruling,
  action: Digest,
  digests: Written,
  why: { readonly determining: readonly string[]; readonly notices: readonly { readonly text: string }[] },
  hold: number | null,
  row: RunRow,
  facts: StepFacts,
): StepAnswer {
  return {
    kind: 'decided',
    ruling,
    actionDigest: action,
    digests,
    determining: why.determining,
    notices: why.notices.map((notice) => notice.text),
    ...(hold === null ? {} : { hold }),
    runDeadlineInMs: row.deadline_ms - facts.now_ms,
    spentMicros: facts.spent_micros ?? '0',
  };
}
