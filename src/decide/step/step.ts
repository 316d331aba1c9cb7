/**
 * Decides one step in a transaction of its own, under the lock on the run's row: settle calls that have ended, take the
 * snapshot, check, reserve, write. The same key gives the same answer again; the same key with another digest is
 * answered with the number of the next free attempt.
 */
import { uuidOf } from '../../domain/ids.js';
import type { StepAnswer, StepRequest } from '../../domain/protocol/decide.js';
import type { Ruling } from '../../domain/decision.js';
import type { Sql } from '../../domain/sql.js';
import type { Caller } from '../actors/caller.js';
import { blockingRates } from '../checks/rates.js';
import { writeDecision, type Written } from '../rows/decision-row.js';
import type { DecideDeps } from '../deps.js';
import {
  admits,
  decisionOf,
  evaluateStep,
  overNow,
  questionOf,
  soundAction,
  type EvaluatedStep,
  type StepAtHand,
} from './evaluate-step.js';
import { holdOf, openHold } from '../lifecycle/holds.js';
import { fence, rateAndReserve, settleAndReserve, settlementOf } from '../ledger/ledger.js';
import type { Answer } from '../policy-checker.js';
import { lockRun, openWarrants } from '../rows/run-row.js';
import type { Snapshot } from '../snapshot.js';
import { readStepFacts } from './step-facts.js';

export async function decideStep(
  sql: Sql,
  deps: DecideDeps,
  caller: Caller,
  request: StepRequest,
): Promise<StepAnswer> {
  const { run, intent } = request;
  const action = soundAction(request);
  // Sent together: the facts are read after the lock is held, because statements of one connection are run in order.
  const [row, facts] = await Promise.all([
    lockRun(sql, run, caller),
    readStepFacts(sql, run, questionOf(request, action)),
  ]);
  const step: StepAtHand = { rules: await deps.sets.of(sql, row.policy_set), request, action, row, facts };
  if (facts.existing?.action_digest === action) return repeat(sql, step, facts.existing);
  // Closed before conflict: the latch's own decision has a number that a late step may ask for.
  if (!admits(row.phase, intent)) return { kind: 'closed', phase: row.phase, outcome: row.outcome };
  if (facts.existing !== null) return { kind: 'conflict', nextAttempt: await voidAndCount(sql, deps, request) };

  const over = overNow(facts.open, request);
  const warrants = (await fence(sql, run, over)) ? overNow(await openWarrants(sql, run), request) : over;
  const evaluated = evaluateStep(deps, step, { warrants, prices: await deps.tables.read(sql, warrants) });
  const { answer, snapshot } = await settleAndConclude(sql, evaluated);
  const written = writeDecision(sql, decisionOf(deps, evaluated, answer, snapshot));
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
  return stepAnswer(step, answer, written, hold);
}

async function settleAndConclude(
  sql: Sql,
  { request: { run, intent }, before, settlements, checked, ask }: EvaluatedStep,
): Promise<{ readonly answer: Answer; readonly snapshot: Snapshot }> {
  if (ask === null) {
    await settleAndReserve(sql, run, settlements, null);
    return { answer: checked.answer, snapshot: before };
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
    answer: checked.conclude(ledger, rates),
    snapshot: { ...before, ledger, rates },
  };
}

async function voidAndCount(sql: Sql, deps: DecideDeps, request: StepRequest): Promise<number> {
  const own = (await openWarrants(sql, request.run)).filter(
    (warrant) => warrant.step === request.intent.step && warrant.state === 'issued',
  );
  const prices = await deps.tables.read(sql, own);
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
  step: StepAtHand,
  existing: NonNullable<StepAtHand['facts']['existing']>,
): Promise<StepAnswer> {
  const { run, intent } = step.request;
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
  return stepAnswer(step, { ruling, determining, notices }, digests, held?.hold ?? null);
}

/** What the workflow hears of a decision that is written. */
export function stepAnswer(
  { action, row, facts }: StepAtHand,
  { ruling, determining, notices }: Pick<StoredBody, 'determining' | 'notices'> & { readonly ruling: Ruling },
  digests: Written,
  hold: number | null,
): StepAnswer {
  return {
    kind: 'decided',
    ruling,
    actionDigest: action,
    digests,
    determining,
    notices: notices.map((notice) => notice.text),
    ...(hold === null ? {} : { hold }),
    runDeadlineInMs: row.deadline_ms - facts.now_ms,
    spentMicros: facts.spent_micros ?? '0',
  };
}
