/**
 * One step's decision, in one transaction that holds the run's row: settle what is over, take the snapshot, check, reserve,
 * write. Asked again with the same key it gives the same answer; with another digest it names the next free attempt.
 */
import { contextDigest } from '../domain/context.js';
import { digestJson, DIGEST_TAGS } from '../domain/digest.js';
import { RokError } from '../domain/errors.js';
import { uuidOf, type Digest } from '../domain/ids.js';
import { actionDigest, type Intent } from '../domain/intent.js';
import type { Json } from '../domain/json.js';
import { countOf } from '../domain/limits.js';
import type { Phase } from '../domain/phases.js';
import { PROFILE_RULES } from '../domain/profiles.js';
import type { StepAnswer, StepRequest } from '../domain/protocol/decide.js';
import type { Ruling } from '../domain/decision.js';
import type { Sql } from '../domain/sql.js';
import type { Caller } from './caller.js';
import { skillName } from './checks/limits.js';
import { blockingRates } from './checks/rates.js';
import type { Deciders } from './deciders.js';
import { writeDecision, type Written } from './decision-row.js';
import { openHold } from './holds.js';
import {
  boundFor,
  fence,
  foretellReserve,
  isWorthForetelling,
  rateAndReserve,
  settleAndReserve,
  settlementOf,
  tookMore,
  type ReserveAsk,
  type Settlement,
} from './ledger.js';
import type { Answer } from './policy-checker.js';
import {
  lockRun,
  openWarrants,
  readStepFacts,
  type OpenWarrant,
  runFacts,
  type RunRow,
  type StepFacts,
} from './run-row.js';
import { agentFacts, type Counters, type Snapshot } from './snapshot.js';

/** @param foretell sends the decision before the ledger has answered; then what it throws may be `isWronglyForetold` */
export async function decideStep(
  sql: Sql,
  given: Deciders,
  caller: Caller,
  request: StepRequest,
  foretell = false,
): Promise<StepAnswer> {
  const { run, intent } = request;
  const action = actionDigest(intent);
  if (request.context !== undefined && contextDigest(request.context) !== intent.contextDigest)
    throw new RokError('usage', 'the context is not what the intent names');
  if (request.arguments !== undefined && digestJson(DIGEST_TAGS.settings, request.arguments) !== intent.argumentsDigest)
    throw new RokError('usage', 'the arguments are not what the intent names');
  // Sent together: the facts are read after the lock is held, because statements of one connection are run in order.
  const [row, facts] = await Promise.all([
    lockRun(sql, run, caller),
    readStepFacts(sql, run, {
      step: intent.step,
      attempt: intent.attempt,
      kind: intent.kind,
      target: intent.target,
      turn: request.turn,
      actionDigest: action,
      argumentsDigest: intent.kind === 'skill.call' ? intent.argumentsDigest : null,
      base: request.context?.base ?? null,
      added: request.context?.added.map((entry) => entry.content) ?? [],
    }),
  ]);
  const deciders = { ...given, ...(await given.sets.of(sql, row.policy_set)) };
  if (facts.existing?.action_digest === action) return repeat(facts, row, action);
  // Closed before conflict: the latch's own decision has a number that a late step may ask for.
  if (!admits(row.phase, intent)) return { kind: 'closed', phase: row.phase, outcome: row.outcome };
  if (facts.existing !== null) return { kind: 'conflict', nextAttempt: await voidAndCount(sql, deciders, request) };

  const over = facts.open.filter((warrant) => warrant.turn < request.turn || warrant.step === intent.step);
  const settling = (await fence(sql, run, over)) ? stillOver(await openWarrants(sql, run), request) : over;
  const settlements = settling.map((warrant) => settlementOf(deciders.prices, warrant));
  const before: Snapshot = {
    ...snapshotOf(deciders, request, row, facts, countSuccesses(row.counters, settling)),
    overrun: facts.overran || settling.some((warrant, at) => tookMore(warrant, settlements[at])),
  };
  const answer = await ruled(sql, deciders, { request, action, foretell, before, settlements });
  const written = writeDecision(sql, {
    run,
    intent,
    actionDigest: action,
    snapshot: answer.snapshot,
    answer: answer.answer,
    policySetDigest: deciders.policies.digest,
    priceTableDigest: deciders.prices.digest,
    counters: count(before.counters, intent, answer.answer.ruling),
    phase: phaseAfter(row.phase, intent, answer.answer.ruling),
  });
  const { ruling } = answer.answer;
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
  return told(ruling, action, written, answer.answer, hold, row, facts);
}

/** The step's own earlier attempts and everything of earlier turns; siblings of the same turn may still be in flight. */
const stillOver = (open: readonly OpenWarrant[], request: StepRequest): readonly OpenWarrant[] =>
  open.filter((warrant) => warrant.turn < request.turn || warrant.step === request.intent.step);

/** After `run.start` was held and approved it is decided again; everything else needs an authorised, open run. */
const admits = (phase: Phase, intent: Intent): boolean =>
  intent.kind === 'run.start' ? phase === 'CREATED' : phase === 'AUTHORIZED' || phase === 'EXECUTING';

function phaseAfter(phase: Phase, intent: Intent, ruling: Ruling): Phase {
  if (ruling.effect !== 'allow') return phase;
  if (intent.kind === 'run.start') return 'AUTHORIZED';
  return phase === 'AUTHORIZED' ? 'EXECUTING' : phase;
}

async function ruled(
  sql: Sql,
  deciders: Deciders,
  input: {
    readonly request: StepRequest;
    readonly action: Digest;
    readonly foretell: boolean;
    readonly before: Snapshot;
    readonly settlements: readonly Settlement[];
  },
): Promise<{ readonly answer: Answer; readonly snapshot: Snapshot }> {
  const { request, before } = input;
  const { intent } = request;
  const first = deciders.checker.check(intent, before);
  const needsMoney = intent.kind === 'model.call' || intent.kind === 'skill.call';
  if (first.ruling.effect !== 'allow' || !needsMoney) {
    await settleAndReserve(sql, request.run, input.settlements, null);
    return { answer: first, snapshot: before };
  }
  const ask: ReserveAsk = {
    step: intent.step,
    attempt: intent.attempt,
    turn: request.turn,
    actionDigest: input.action,
    notAfter: first.ruling.grant.notAfter,
    enforced: PROFILE_RULES[before.run.profile].enforce,
    bound: boundFor(deciders.prices, intent, before.inputTokens ?? 0),
    askedOutputTokens: intent.askedOutputTokens ?? null,
  };
  const { ledger, rates } =
    input.foretell && before.rates === null && isWorthForetelling(before.budget, ask)
      ? { ledger: foretellReserve(sql, request.run, input.settlements, ask), rates: null }
      : before.rates === null
        ? { ledger: await settleAndReserve(sql, request.run, input.settlements, ask), rates: null }
        : await rateAndReserve(sql, request.run, input.settlements, ask, {
            kind: intent.kind,
            target: intent.target,
            blocking: blockingRates(before),
          });
  return {
    answer: deciders.checker.checkLedger(intent, before, ledger, rates),
    snapshot: { ...before, ledger, rates },
  };
}

function snapshotOf(
  deciders: Deciders,
  request: StepRequest,
  row: RunRow,
  facts: StepFacts,
  counters: Counters,
): Snapshot {
  const { intent, context } = request;
  const distinct = new Set(context?.added.map((entry) => entry.content) ?? []).size;
  const stored = facts.added_known === distinct && ((context?.base ?? null) === null || facts.base_tokens !== null);
  return {
    nowMs: facts.now_ms,
    run: runFacts(row),
    agent: agentFacts(deciders.agents.get(row.agent) ?? null),
    limits: row.limits,
    counters,
    halted: facts.halted,
    pastHolds: facts.past_holds,
    ...facts.history,
    rates: facts.rates,
    arguments: request.arguments ?? (facts.arguments === null ? null : (JSON.parse(facts.arguments) as Json)),
    argumentsStored: request.arguments === undefined && facts.arguments !== null,
    inputTokens:
      intent.kind === 'model.call' && stored
        ? Number(facts.base_tokens ?? '0') + Number(facts.added_tokens ?? '0')
        : null,
    overrun: facts.overran,
    priced: intent.kind === 'model.call' ? deciders.prices.priceOf(intent.target) !== null : null,
    budget: { spentMicros: facts.spent_micros ?? '0', capMicros: facts.cap_micros ?? row.limits.usdMicros },
    problems: [],
    ledger: null,
  };
}

const plusOne = (counts: Readonly<Record<string, number>>, key: string) => ({
  ...counts,
  [key]: (countOf(counts, key) ?? 0) + 1,
});

const succeededAt = (counters: Counters, skill: string, step: number): Counters => ({
  ...counters,
  succeeded: plusOne(counters.succeeded, skill),
  lastSuccess: { ...counters.lastSuccess, [skill]: Math.max(countOf(counters.lastSuccess, skill) ?? 0, step) },
});

function countSuccesses(counters: Counters, settling: readonly OpenWarrant[]): Counters {
  return settling
    .filter((warrant) => warrant.kind === 'skill.call' && warrant.result?.status === 'succeeded')
    .reduce<Counters>((sum, warrant) => succeededAt(sum, skillName(warrant.target), warrant.step), counters);
}

function count(counters: Counters, intent: Intent, ruling: Ruling): Counters {
  // To come too early is not to be refused.
  if (ruling.effect === 'deny')
    return ruling.retryAfterMs === undefined ? { ...counters, denials: counters.denials + 1 } : counters;
  if (ruling.effect === 'pause') return counters;
  const steps = Math.max(counters.steps, intent.step);
  if (intent.kind === 'model.call') return { ...counters, steps, modelCalls: counters.modelCalls + 1 };
  if (intent.kind === 'skill.call')
    return { ...counters, steps, skillCalls: plusOne(counters.skillCalls, skillName(intent.target)) };
  return counters;
}

async function voidAndCount(sql: Sql, deciders: Deciders, request: StepRequest): Promise<number> {
  const own = (await openWarrants(sql, request.run)).filter(
    (warrant) => warrant.step === request.intent.step && warrant.state === 'issued',
  );
  await settleAndReserve(
    sql,
    request.run,
    own.map((warrant) => settlementOf(deciders.prices, warrant)),
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

function repeat(facts: StepFacts, row: RunRow, action: Digest): StepAnswer {
  const existing = facts.existing;
  if (existing === null) throw new Error('no decision to repeat');
  const { determining, notices, errors: _errors, ...ruling } = existing.body as StoredBody;
  const digests = {
    snapshotDigest: existing.snapshot_digest,
    policySetDigest: existing.policy_set_digest,
    priceTableDigest: existing.price_table_digest,
  };
  return told(ruling, action, digests, { determining, notices }, existing.hold, row, facts);
}

function told(
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
