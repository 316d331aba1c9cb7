/**
 * The decider: pure and total. Checks in order, cheap and hard first; all reasons kept; deny beats pause beats allow. An
 * error in any check is a reason of its own and never an allow outside OBSERVE_ONLY. Has no clock, no database, no network.
 *
 * The order: what was wrong before there was anything to check, then halt, limits, no progress, rate limits, Cedar, custom
 * checks, budgets.
 */
import { REASON_CODES, type Notice, type Reason, type Ruling } from '../domain/decision.js';
import { iso, ruleId, type RuleId } from '../domain/ids.js';
import type { Intent } from '../domain/intent.js';
import { PROFILE_RULES } from '../domain/profiles.js';
import { storable } from '../domain/text.js';
import type { Policies } from './cedar/cedar-check.js';
import { checkBudgets } from './checks/budgets.js';
import { deny, type CheckResult, type Denial, type Objection, type PolicyCheck } from './checks/check.js';
import { checkHalt } from './checks/halt.js';
import { checkLimits } from './checks/limits.js';
import { checkNoProgress, checkStandstillRejected } from './checks/no-progress.js';
import { checkRates } from './checks/rates.js';
import type { LedgerAnswer, RateFacts, Snapshot } from './snapshot.js';

export type Answer = {
  readonly ruling: Ruling;
  readonly determining: readonly RuleId[];
  readonly errors: readonly Reason[];
  readonly notices: readonly Notice[];
};
export type Checked = {
  /** The decision, from the snapshot alone. */
  readonly answer: Answer;
  /**
   * The decision with what the database answered last. The other checks, whose input that is not, are not asked again.
   * @param rates the snapshot's own where none are given
   */
  readonly conclude: (ledger: LedgerAnswer | null, rates?: RateFacts | null) => Answer;
};
export type PolicyChecker = {
  check(intent: Intent, snapshot: Snapshot): Checked;
  /**
   * Works out what of a check can be known before the snapshot is complete, for the check that follows. Changes when something
   * is worked out, never what comes out.
   * @returns whether anything was
   */
  warm(intent: Intent, snapshot: Snapshot): boolean;
};

/** How long a warrant is good for: longer than a step waits for a worker, never past the run's deadline. */
const WARRANT_MS = 120_000;

export function createPolicyChecker(policies: Policies, custom: readonly PolicyCheck[]): PolicyChecker {
  const precheck = (intent: Intent, snapshot: Snapshot): Precheck => {
    const whole = PROFILE_RULES[snapshot.run.profile].recheckAll || !snapshot.rechecked;
    const before = [
      guarded('problems', () => checkProblems(intent, snapshot)),
      guarded('halt', () => checkHalt(snapshot)),
      guarded('limits', () => checkLimits(intent, snapshot)),
      guarded('context', () => checkInputs(intent, snapshot)),
      guarded('no-progress', () => checkStandstillRejected(snapshot)),
      ...(whole ? [guarded('no-progress', () => checkNoProgress(intent, snapshot))] : []),
    ];
    const after = [
      guarded('cedar', () => policies.check(intent, snapshot)),
      ...(whole ? custom.map((one) => guarded(one.id, () => ask(one, intent, snapshot))) : []),
    ];
    return { before: together(before), after: together(after) };
  };
  const withCounts = (intent: Intent, snapshot: Snapshot, { before, after }: Precheck): Answer => {
    const rates = guarded('rates', () => checkRates(intent, snapshot));
    const budgets = guarded('budgets', () => checkBudgets(intent, snapshot));
    return conclude(intent, snapshot, together([before, rates, after, budgets]));
  };
  return {
    check(intent, snapshot) {
      let checked: Precheck | null = null;
      const answerFor = (counted: () => Snapshot): Answer =>
        total(() => {
          checked ??= precheck(intent, snapshot);
          return withCounts(intent, counted(), checked);
        });
      return {
        answer: answerFor(() => snapshot),
        conclude: (ledger, rates) =>
          answerFor(() => ({ ...snapshot, ledger, rates: rates === undefined ? snapshot.rates : rates })),
      };
    },
    warm(intent, snapshot) {
      try {
        return policies.warm(intent, snapshot);
      } catch {
        // Whatever it is, the check meets it again and says so.
        return false;
      }
    },
  };
}

/** What the checks said whose input neither the ledger nor a rate's state is: before and after the place of the rates. */
type Precheck = { readonly before: CheckResult; readonly after: CheckResult };

/** Allocates nothing for checks without objections, the common case. */
function together(results: readonly CheckResult[]): Required<CheckResult> {
  const objections: Objection[] = [];
  const notices: Notice[] = [];
  const determining: string[] = [];
  for (const result of results) {
    for (const one of result.objections) objections.push(speakable(one));
    for (const one of result.notices ?? [])
      notices.push({ ...one, rule: rule(one.rule), text: storable(one.text, 500) });
    for (const one of result.determining ?? []) determining.push(one);
  }
  return { objections, notices, determining };
}

/** A snapshot that is none cannot be judged by the profile it names: denied in all of them. */
function total(work: () => Answer): Answer {
  try {
    return work();
  } catch (error) {
    const { reason } = failed('snapshot', error);
    const determining = [reason.rule];
    return { ruling: { effect: 'deny', reasons: [reason], final: true }, determining, errors: [reason], notices: [] };
  }
}

const rule = (text: string): RuleId => ruleId(storable(text, 200));

/** A reason is stored as JSON, traced and told to the model, and may quote what came from outside. */
const speakable = <T extends Objection>(one: T): T => ({
  ...one,
  reason: { ...one.reason, rule: rule(one.reason.rule), text: storable(one.reason.text, 500) },
});

/** A custom check is somebody else's code: what it answers is looked at before it is believed. */
function ask(one: PolicyCheck, intent: Intent, snapshot: Snapshot): CheckResult {
  if (!one.bindsTo.includes(intent.kind)) return { objections: [] };
  const reasons: unknown = one.check(intent, snapshot);
  if (!Array.isArray(reasons)) throw new TypeError('it answered with something other than a list of reasons');
  return {
    objections: reasons.map((reason: unknown) => {
      if (!isReason(reason)) throw new TypeError('it answered with something other than reasons');
      return { effect: 'deny', reason, final: false };
    }),
  };
}

const isReason = (value: unknown): value is Reason =>
  typeof value === 'object' &&
  value !== null &&
  'code' in value &&
  (REASON_CODES as readonly unknown[]).includes(value.code) &&
  'rule' in value &&
  typeof value.rule === 'string' &&
  'text' in value &&
  typeof value.text === 'string';

function guarded(id: string, check: () => CheckResult): CheckResult {
  try {
    return check();
  } catch (error) {
    return { objections: [failed(id, error)] };
  }
}

function failed(id: string, error: unknown): Denial {
  const text = `check \`${id}\` failed: ${error instanceof Error ? error.message.slice(0, 200) : 'unknown error'}`;
  return speakable(deny('check_failed', id, text, true));
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
        code: one.effect === 'pause' ? 'would_pause' : one.retryAfterMs === undefined ? 'would_deny' : 'would_wait',
        rule: one.reason.rule,
        text: one.reason.text,
      })),
    ...(snapshot.ledger?.warnings ?? []).map((account): Notice => ({
      code: 'budget_warning',
      rule: ruleId(`budget.${account.scope}.${account.unit}`),
      text: `${account.scope} ${account.unit} is at 80 % of its cap`,
    })),
  ];
  const determining = [...new Set([...blocking.map((one) => one.reason.rule), ...(found.determining ?? []).map(rule)])];
  return { ruling: ruled(intent, snapshot, blocking), determining, errors, notices };
}

function ruled(intent: Intent, snapshot: Snapshot, blocking: readonly Objection[]): Ruling {
  const reasons = blocking.map((one) => one.reason);
  const denials = blocking.filter((one) => one.effect === 'deny');
  if (denials.length > 0) {
    // A cheaper model answers nothing but what the dearer one cost.
    const suggest = denials.every((one) => one.suggest !== undefined) ? denials[0]?.suggest : undefined;
    // Time answers nothing but what came too early.
    const waits = denials.flatMap((one) => one.retryAfterMs ?? []);
    return {
      effect: 'deny',
      reasons,
      final: denials.some((one) => one.final),
      ...(suggest === undefined ? {} : { suggest }),
      ...(waits.length === denials.length ? { retryAfterMs: Math.max(...waits) } : {}),
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
