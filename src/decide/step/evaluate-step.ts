/**
 * Evaluates one step after its run is locked and its facts are read: which calls have ended and what they cost, the
 * snapshot, the checks, and the request to the ledger. Pure: reads and writes nothing.
 */
import { contextDigest } from '../../domain/context.js';
import { settingsDigest } from '../../domain/digest.js';
import { RokError } from '../../domain/errors.js';
import type { Digest } from '../../domain/ids.js';
import { actionDigest, type Intent } from '../../domain/intent.js';
import type { Json } from '../../domain/json.js';
import { countOf } from '../../domain/limits.js';
import type { Phase } from '../../domain/phases.js';
import { PROFILE_RULES } from '../../domain/profiles.js';
import type { StepRequest } from '../../domain/protocol/decide.js';
import { templateTokens } from '../../domain/tokens.js';
import type { Ruling } from '../../domain/decision.js';
import { skillName } from '../checks/limits.js';
import type { DecisionRow } from '../rows/decision-row.js';
import type { DecideDeps } from '../deps.js';
import { boundFor, settlementOf, tookMore, type ReserveAsk, type Settlement } from '../ledger/ledger.js';
import type { Answer, Checked } from '../policy-checker.js';
import type { RulesInForce } from '../policies/in-force.js';
import type { PricesNamed } from '../ledger/price-tables.js';
import { runFacts, type OpenWarrant, type RunRow } from '../rows/run-row.js';
import { agentFacts, type Counters, type Snapshot } from '../snapshot.js';
import { NOTHING_READ, type StepFacts, type StepQuestion } from './step-facts.js';

/** A step with all that its evaluation needs. */
export type StepAtHand = {
  readonly rules: RulesInForce;
  readonly request: StepRequest;
  readonly action: Digest;
  readonly row: RunRow;
  readonly facts: StepFacts;
};

export type EvaluatedStep = StepAtHand & {
  readonly settlements: readonly Settlement[];
  /** As it is before the ledger is asked. */
  readonly before: Snapshot;
  readonly checked: Checked;
  /** Null: refused or held already, or nothing that needs a warrant. */
  readonly ask: ReserveAsk | null;
};

/** @throws RokError `usage` where what came along is not what the intent names */
export function soundAction(request: StepRequest): Digest {
  const { intent } = request;
  if (request.context !== undefined && contextDigest(request.context) !== intent.contextDigest)
    throw new RokError('usage', 'the context is not what the intent names');
  if (
    request.arguments !== undefined &&
    settingsDigest(request.arguments, request.argumentsSalt) !== intent.argumentsDigest
  )
    throw new RokError('usage', 'the arguments are not what the intent names');
  return actionDigest(intent);
}

export const questionOf = ({ intent, turn, context }: StepRequest, actionDigest: Digest): StepQuestion => ({
  step: intent.step,
  attempt: intent.attempt,
  kind: intent.kind,
  target: intent.target,
  turn,
  actionDigest,
  argumentsDigest: intent.kind === 'skill.call' ? intent.argumentsDigest : null,
  base: context?.base ?? null,
  added: context?.added.map((entry) => entry.content) ?? [],
});

/** After `run.start` was held and approved it is decided again; everything else needs an authorised, open run. */
export const admits = (phase: Phase, intent: Intent): boolean =>
  intent.kind === 'run.start' ? phase === 'CREATED' : phase === 'AUTHORIZED' || phase === 'EXECUTING';

/** The step's own earlier attempts and everything of earlier turns; siblings of the same turn may still be in flight. */
export const overNow = (open: readonly OpenWarrant[], { turn, intent }: StepRequest): readonly OpenWarrant[] =>
  open.filter((warrant) => warrant.turn < turn || warrant.step === intent.step);

export const needsWarrant = ({ kind }: Intent): boolean => kind === 'model.call' || kind === 'skill.call';

/** What is over, and the prices that its decisions named. */
export type Settling = { readonly warrants: readonly OpenWarrant[]; readonly prices: PricesNamed };

export function evaluateStep(deps: DecideDeps, step: StepAtHand, { warrants, prices }: Settling): EvaluatedStep {
  const { rules, request, action, row, facts } = step;
  const { intent } = request;
  const settlements = warrants.map((warrant) => settlementOf(prices, warrant));
  const before: Snapshot = {
    ...snapshotOf(deps, step, countSuccesses(row.counters, warrants)),
    overrun: facts.overran || warrants.some((warrant, at) => tookMore(warrant, settlements[at])),
  };
  const checked = rules.checker.check(intent, before);
  const { ruling } = checked.answer;
  if (ruling.effect !== 'allow' || !needsWarrant(intent)) return { ...step, settlements, before, checked, ask: null };
  const ask: ReserveAsk = {
    step: intent.step,
    attempt: intent.attempt,
    turn: request.turn,
    actionDigest: action,
    notAfter: ruling.grant.notAfter,
    enforced: PROFILE_RULES[before.run.profile].enforce,
    bound: boundFor(deps.prices, intent, before.inputTokens ?? 0),
    askedOutputTokens: intent.askedOutputTokens ?? null,
  };
  return { ...step, settlements, before, checked, ask };
}

/** Asks the policies while the facts are being read. */
export function warm(
  deps: DecideDeps,
  { rules, request, row }: Omit<StepAtHand, 'facts'>,
  stored: string | null,
): void {
  const step = { request, row, facts: { ...NOTHING_READ, arguments: stored } };
  rules.checker.warm(request.intent, snapshotOf(deps, step, row.counters));
}

export const decisionOf = (
  deps: DecideDeps,
  { rules, request: { run, intent }, action, before, row }: EvaluatedStep,
  answer: Answer,
  snapshot: Snapshot,
): DecisionRow => ({
  run,
  intent,
  actionDigest: action,
  snapshot,
  answer,
  policySetDigest: rules.policies.digest,
  priceTableDigest: deps.prices.digest,
  counters: count(before.counters, intent, answer.ruling),
  phase: phaseAfter(row.phase, intent, answer.ruling),
});

function phaseAfter(phase: Phase, intent: Intent, ruling: Ruling): Phase {
  if (ruling.effect !== 'allow') return phase;
  if (intent.kind === 'run.start') return 'AUTHORIZED';
  return phase === 'AUTHORIZED' ? 'EXECUTING' : phase;
}

function snapshotOf(
  deps: DecideDeps,
  { request, row, facts }: Pick<StepAtHand, 'request' | 'row' | 'facts'>,
  counters: Counters,
): Snapshot {
  const { intent, context } = request;
  const distinct = new Set(context?.added.map((entry) => entry.content) ?? []).size;
  const stored = facts.added_known === distinct && ((context?.base ?? null) === null || facts.base_tokens !== null);
  return {
    nowMs: facts.now_ms,
    run: runFacts(row),
    agent: agentFacts(deps.agents.get(row.agent) ?? null),
    limits: row.limits,
    counters,
    halted: facts.halted,
    pastHolds: facts.past_holds,
    approvals: facts.approvals,
    recent: facts.recent,
    rechecked: facts.rechecked,
    rates: facts.rates,
    arguments: request.arguments ?? (facts.arguments === null ? null : (JSON.parse(facts.arguments) as Json)),
    argumentsStored: request.arguments === undefined && facts.arguments !== null,
    inputTokens:
      intent.kind === 'model.call' && stored
        ? Number(facts.base_tokens ?? '0') + Number(facts.added_tokens ?? '0') + templateTokens(intent.target)
        : null,
    overrun: facts.overran,
    priced: intent.kind === 'model.call' ? deps.prices.priceOf(intent.target) !== null : null,
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
