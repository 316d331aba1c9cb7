/**
 * A raise of a budget: the budget, the cap that it replaces, and the new cap. It comes from outside unchecked and
 * workflow code reads it too, so it is parsed by hand. Caps are absolute and never deltas: two raises at once must not
 * add up.
 */
import { canonicalJson } from '../canonical-json.js';
import { digest, DIGEST_TAGS } from '../digest.js';
import type { Digest } from '../ids.js';
import { isStorable } from '../text.js';

export const BUDGET_SCOPES = ['all', 'tenant', 'agent', 'label', 'run'] as const;
export const BUDGET_UNITS = ['usd_micros', 'tokens', 'calls'] as const;
export const BUDGET_WINDOWS = ['run', 'day', 'month', 'forever'] as const;

export type BudgetRaise = {
  readonly scope: (typeof BUDGET_SCOPES)[number];
  /** Tenant; `tenant/agent`; `tenant/label=value`; the run's UUID, without `run_`; empty for all. */
  readonly subject: string;
  readonly unit: (typeof BUDGET_UNITS)[number];
  readonly window: (typeof BUDGET_WINDOWS)[number];
  /** The cap as whoever raises it knew it, in whole units, micro-USD where it is money. */
  readonly from: string;
  /** The cap as it shall be, not what is added. */
  readonly to: string;
  readonly reason: string;
};

/** What a bigint column holds. */
const LARGEST_CAP = 2n ** 63n - 1n;
const WHOLE = /^(0|[1-9][0-9]{0,18})$/;
const MAX_SUBJECT = 512;
const MAX_REASON = 1000;

export type ParsedRaise =
  { readonly ok: true; readonly raise: BudgetRaise } | { readonly ok: false; readonly problem: string };

/** Takes its own fields and leaves the others, so an update's message is parsed as it is. */
export function parseRaise(value: unknown): ParsedRaise {
  const given = (value ?? {}) as Partial<Record<keyof BudgetRaise, unknown>>;
  const scope = oneOf(BUDGET_SCOPES, given.scope);
  const unit = oneOf(BUDGET_UNITS, given.unit);
  const window = oneOf(BUDGET_WINDOWS, given.window);
  if (scope === null) return no(`a scope is one of ${BUDGET_SCOPES.join(', ')}`);
  if (unit === null) return no(`a unit is one of ${BUDGET_UNITS.join(', ')}`);
  if (window === null) return no(`a window is one of ${BUDGET_WINDOWS.join(', ')}`);
  const { subject, from, to, reason } = given;
  if (!isText(subject, MAX_SUBJECT) || (subject === '') !== (scope === 'all'))
    return no(scope === 'all' ? 'the budget on all has no subject' : 'a budget has the subject that it is on');
  if (!isCap(from) || !isCap(to)) return no('a cap is a whole number as text, at most 9223372036854775807');
  if (BigInt(to) <= BigInt(from)) return no('a raise is to more than it is from');
  if (!isText(reason, MAX_REASON) || reason.trim() === '')
    return no(`a reason is needed, of at most ${MAX_REASON} characters`);
  return { ok: true, raise: { scope, subject, unit, window, from, to, reason } };
}

const no = (problem: string): ParsedRaise => ({ ok: false, problem });

const oneOf = <T extends string>(known: readonly T[], value: unknown): T | null =>
  known.find((one) => one === value) ?? null;
const isText = (value: unknown, maxChars: number): value is string =>
  typeof value === 'string' && value.length <= maxChars && isStorable(value);
const isCap = (value: unknown): value is string =>
  typeof value === 'string' && WHOLE.test(value) && BigInt(value) <= LARGEST_CAP;

/** The text that is signed for, and that the database takes: it computes the digest again from it. */
export const raiseText = ({ scope, subject, unit, window, from, to, reason }: BudgetRaise): string =>
  canonicalJson({ scope, subject, unit, window, from, to, reason });
/** What an assertion for a raise binds to, as its `action`. */
export const raiseDigest = (raise: BudgetRaise): Digest => digest(DIGEST_TAGS.raise, raiseText(raise));
