/**
 * The decider: pure and total. Checks in order, cheap and hard first; all reasons kept; deny beats pause beats allow. An
 * error in any check is a reason of its own and never an allow outside OBSERVE_ONLY. Has no clock, no database, no network.
 */
import type { Notice, Reason, Ruling } from '../domain/decision.js';
import { iso, ruleId, type RuleId } from '../domain/ids.js';
import type { Intent } from '../domain/intent.js';
import { PROFILE_RULES } from '../domain/profiles.js';
import { storable } from '../domain/text.js';
import type { Policies } from './cedar.js';
import { checkBudgets } from './checks/budgets.js';
import { deny, type CheckResult, type Objection, type PolicyCheck } from './checks/check.js';
import { checkHalt } from './checks/halt.js';
import { checkLimits } from './checks/limits.js';
import type { LedgerAnswer, Snapshot } from './snapshot.js';

export type Answer = {
  readonly ruling: Ruling;
  readonly determining: readonly RuleId[];
  readonly errors: readonly Reason[];
  readonly notices: readonly Notice[];
};
export type PolicyChecker = {
  /** The decision, from the snapshot alone. */
  check(intent: Intent, snapshot: Snapshot): Answer;
  /** The same with the ledger's answer added: the other checks, whose input it is not, are not asked again. */
  checkLedger(intent: Intent, snapshot: Snapshot, ledger: LedgerAnswer | null): Answer;
};

/** How long a warrant is good for: longer than a step waits for a worker, never past the run's deadline. */
const WARRANT_MS = 120_000;

export function createPolicyChecker(policies: Policies, custom: readonly PolicyCheck[]): PolicyChecker {
  const precheck = (intent: Intent, snapshot: Snapshot): CheckResult => {
    const results = [
      guarded('problems', () => checkProblems(intent, snapshot)),
      guarded('halt', () => checkHalt(snapshot)),
      guarded('limits', () => checkLimits(intent, snapshot)),
      guarded('context', () => checkInputs(intent, snapshot)),
      guarded('cedar', () => policies.check(intent, snapshot)),
      ...custom
        .filter((one) => one.bindsTo.includes(intent.kind))
        .map((one) => guarded(one.id, () => asResult(one.check(intent, snapshot)))),
    ];
    return {
      objections: results.flatMap((result) => result.objections).map(speakable),
      notices: results.flatMap((result) => result.notices ?? []),
      determining: results.flatMap((result) => result.determining ?? []),
    };
  };
  const withBudgets = (intent: Intent, snapshot: Snapshot, before: CheckResult): Answer => {
    const budgets = guarded('budgets', () => checkBudgets(intent, snapshot));
    return conclude(intent, snapshot, { ...before, objections: [...before.objections, ...budgets.objections] });
  };
  // What the other checks said of a snapshot, kept while somebody holds it.
  const seen = new WeakMap<Snapshot, CheckResult>();
  return {
    check(intent, snapshot) {
      const before = precheck(intent, snapshot);
      seen.set(snapshot, before);
      return withBudgets(intent, snapshot, before);
    },
    checkLedger(intent, snapshot, ledger) {
      return withBudgets(intent, { ...snapshot, ledger }, seen.get(snapshot) ?? precheck(intent, snapshot));
    },
  };
}

/** A reason is stored as JSON, traced and told to the model, and may quote what came from outside. */
const speakable = (one: Objection): Objection => ({
  ...one,
  reason: { ...one.reason, rule: ruleId(storable(one.reason.rule, 200)), text: storable(one.reason.text, 500) },
});

const asResult = (reasons: readonly Reason[]): CheckResult => ({
  objections: reasons.map((reason) => ({ effect: 'deny', reason, final: false })),
});

function guarded(id: string, check: () => CheckResult): CheckResult {
  try {
    return check();
  } catch (error) {
    const text = `check \`${id}\` failed: ${error instanceof Error ? error.message.slice(0, 200) : 'unknown error'}`;
    return { objections: [deny('check_failed', id, text, true)] };
  }
}

function checkProblems(intent: Intent, snapshot: Snapshot): CheckResult {
  if (intent.kind !== 'run.start') return { objections: [] };
  return {
    objections: snapshot.problems.map(({ code, text }) => ({ ...deny(code, 'run.start', text, true), always: true })),
  };
}

function checkInputs(intent: Intent, snapshot: Snapshot): CheckResult {
  if (intent.kind !== 'model.call') return { objections: [] };
  const objections: Objection[] = [];
  if (snapshot.inputTokens === null)
    objections.push({
      ...deny('context_unknown', 'context', 'the conversation of this call is not stored', true),
      always: true,
    });
  if (snapshot.priced === false) objections.push(deny('no_price', 'prices', `no price for \`${intent.target}\``, true));
  return { objections };
}

function conclude(intent: Intent, snapshot: Snapshot, found: CheckResult): Answer {
  const rules = PROFILE_RULES[snapshot.run.profile];
  const errors = found.objections.filter((one) => one.reason.code === 'check_failed').map((one) => one.reason);
  const blocks = (one: Objection): boolean => rules.enforce || (one.effect === 'deny' && one.always === true);
  const blocking = found.objections.filter(blocks);
  const notices: readonly Notice[] = [
    ...(found.notices ?? []),
    ...found.objections
      .filter((one) => !blocks(one))
      .map((one): Notice => ({
        code: one.effect === 'deny' ? 'would_deny' : 'would_pause',
        rule: one.reason.rule,
        text: one.reason.text,
      })),
    ...(snapshot.ledger?.warnings ?? []).map((account): Notice => ({
      code: 'budget_warning',
      rule: ruleId(`budget.${account.scope}.${account.unit}`),
      text: `${account.scope} ${account.unit} is at 80 % of its cap`,
    })),
  ];
  const determining = [
    ...new Set([...blocking.map((one) => one.reason.rule), ...(found.determining ?? []).map(ruleId)]),
  ];
  return { ruling: rule(intent, snapshot, blocking), determining, errors, notices };
}

function rule(intent: Intent, snapshot: Snapshot, blocking: readonly Objection[]): Ruling {
  const reasons = blocking.map((one) => one.reason);
  const denials = blocking.filter((one) => one.effect === 'deny');
  if (denials.length > 0) {
    const suggest = denials.length === 1 ? denials[0]?.suggest : undefined;
    return {
      effect: 'deny',
      reasons,
      final: denials.some((one) => one.final),
      ...(suggest === undefined ? {} : { suggest }),
    };
  }
  const [pause] = blocking.filter((one) => one.effect === 'pause');
  if (pause !== undefined) {
    const { slaMs, ...terms } = pause.terms;
    return { effect: 'pause', reasons, hold: { ...terms, until: isoOf(snapshot.nowMs + slaMs) } };
  }
  const notAfter = isoOf(
    Math.min(snapshot.nowMs + WARRANT_MS, Math.max(snapshot.run.deadlineMs, snapshot.nowMs + 1000)),
  );
  const outputTokens = snapshot.ledger?.output_tokens;
  return {
    effect: 'allow',
    grant: {
      notAfter,
      ...(intent.kind === 'model.call' ? { model: intent.target } : {}),
      ...(outputTokens === undefined || outputTokens === null ? {} : { outputTokens }),
    },
  };
}

const isoOf = (ms: number) => iso(new Date(ms).toISOString());
