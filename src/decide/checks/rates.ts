/**
 * Check 4: rate limits, by GCRA over the times in the snapshot. A soft limit with a wait under a minute denies and says
 * when to ask again; with a longer wait it holds the run. A hard limit denies. The database moves the times, and only
 * for allowed calls (decide.rate_and_reserve).
 */
import type { Notice } from '../../domain/decision.js';
import { ruleId } from '../../domain/ids.js';
import type { Intent } from '../../domain/intent.js';
import { PROFILE_RULES } from '../../domain/profiles.js';
import type { RateEnforcement, RateLimit, Snapshot } from '../snapshot.js';
import { deny, type CheckResult, type Objection, type PauseTerms } from './check.js';

/** From here on a wait is a hold, which somebody sees. */
const SHORT_WAIT_MS = 60_000;
/** The longest that a run is held for a rate: as long as any hold that nobody said more of. */
const LONGEST_HOLD_MS = 3_600_000;

/** Milliseconds until the limit admits one more call; 0: now. */
export const waitMs = (limit: RateLimit, nowUs: number): number =>
  Math.max(0, Math.ceil((limit.tatUs - nowUs - (limit.burst - 1) * limit.everyUs) / 1000));

/** Which limits hold this call back, rather than only being told of. */
export function blockingRates(snapshot: Snapshot): readonly RateEnforcement[] {
  const rules = PROFILE_RULES[snapshot.run.profile];
  if (!rules.enforce || !asked(snapshot)) return [];
  return rules.softRates === 'warn' || letThrough(snapshot) ? ['hard'] : ['soft', 'hard'];
}

export function checkRates(intent: Intent, snapshot: Snapshot): CheckResult {
  const { rates } = snapshot;
  if (rates === null || !asked(snapshot)) return { objections: [] };
  const early = rates.limits
    .map((limit): Early => ({ limit, ms: waitMs(limit, rates.nowUs) }))
    .filter(({ ms }) => ms > 0);
  const soft = letThrough(snapshot) ? [] : early.filter(({ limit }) => limit.enforcement === 'soft');
  const denied = early
    .filter(({ limit }) => limit.enforcement === 'hard')
    .map(({ limit }) => deny('rate_limited', rateRule(limit), said(limit), ends(intent)));
  if (PROFILE_RULES[snapshot.run.profile].softRates === 'warn')
    return { objections: denied, notices: soft.map(warning) };
  if (soft.length > 0 && answered(snapshot, 'rejected'))
    return {
      objections: [
        deny('approval_rejected', 'rate', 'going on above a rate limit was rejected', ends(intent)),
        ...denied,
      ],
    };
  // However many soft limits it is too early for, there is one wait: the longest.
  const neededMs = Math.max(...soft.map(({ ms }) => ms));
  return { objections: [...soft.map(({ limit }) => wait(limit, neededMs)), ...denied] };
}

type Early = { readonly limit: RateLimit; readonly ms: number };

/** STANDARD asks once for each action: a call that is tried again is counted, not held back. */
const asked = (snapshot: Snapshot): boolean => PROFILE_RULES[snapshot.run.profile].recheckAll || !snapshot.rechecked;

const answered = (snapshot: Snapshot, resolution: 'approved' | 'rejected'): boolean =>
  snapshot.pastHolds.some((hold) => hold.reason === 'RATE_LIMIT' && hold.resolution === resolution);

/** Who may lift a soft limit did so, for this very action. */
const letThrough = (snapshot: Snapshot): boolean => answered(snapshot, 'approved');

/** Nobody can be told that a model was not asked. */
const ends = (intent: Intent): boolean => intent.kind === 'model.call';

const rateRule = ({ scope, enforcement }: RateLimit): string => `rate.${scope}.${enforcement}`;

const said = ({ scope, subject, calls, periodS, burst }: RateLimit): string =>
  `${scope} \`${subject}\`: ${calls} calls in ${periodS} s, at most ${burst} at once`;

const warning = ({ limit, ms }: Early): Notice => ({
  code: 'rate_warning',
  rule: ruleId(rateRule(limit)),
  text: `${said(limit)}; early by ${ms} ms`,
});

function wait(limit: RateLimit, neededMs: number): Objection {
  const denial = deny('rate_limited', rateRule(limit), said(limit), false);
  return neededMs < SHORT_WAIT_MS
    ? { ...denial, retryAfterMs: neededMs }
    : { effect: 'pause', reason: denial.reason, terms: termsOf(neededMs) };
}

/** The time needed ends the hold and the step is decided again; what needs longer than any hold lasts ends the run. */
const termsOf = (neededMs: number): PauseTerms => ({
  reason: 'RATE_LIMIT',
  authority: 'operator',
  quorum: 1,
  slaMs: Math.min(neededMs, LONGEST_HOLD_MS),
  onTimeout: neededMs <= LONGEST_HOLD_MS ? 'continue' : 'terminate',
});
