/** The table of profiles, a cell at a time, as far as a decision shows it. */
import { describe, expect, it } from '@jest/globals';
import { loadPolicies } from '../../src/decide/cedar/cedar-check.js';
import type { PolicyCheck } from '../../src/decide/checks/check.js';
import { createPolicyChecker } from '../../src/decide/policy-checker.js';
import { ruleId } from '../../src/domain/ids.js';
import { PROFILE_RULES, PROFILES, stricter, type Profile } from '../../src/domain/profiles.js';
import { modelCall, skillCall, snapshotWith } from './snapshots.js';

const policies = loadPolicies({
  default: `@id("all") permit (principal, action, resource);
    @id("no") forbid (principal, action, resource) when { context.labels.rule == "no" };
    @id("ask") @effect("pause") forbid (principal, action, resource) when { context.labels.rule == "ask" };`,
});
const custom: PolicyCheck = {
  id: 'own',
  bindsTo: ['skill.call'],
  check(_intent, { run }) {
    if (run.labels['rule'] === 'err') throw new Error('broken');
    return run.labels['rule'] === 'own' ? [{ code: 'policy_forbids', rule: ruleId('own'), text: 'own' }] : [];
  },
};
const checker = createPolicyChecker(policies, [custom]);
const breach = {
  scope: 'run',
  subject: 'r',
  unit: 'calls',
  window: 'run',
  on_breach: 'deny',
  cap: '1',
  spent: '1',
  reserved: '0',
  over: '0',
};
const early = (enforcement: 'soft' | 'hard', seconds: number) => ({
  nowUs: 0,
  limits: [
    {
      scope: 'tenant',
      subject: 'acme',
      enforcement,
      calls: 1,
      periodS: 600,
      burst: 1,
      everyUs: 600_000_000,
      tatUs: seconds * 1_000_000,
    },
  ],
});
const same = Array.from({ length: 5 }, () => ({ request: 'r', result: 'c' }));

const CASES = {
  'a deny': ['skill', { rule: 'no' }, {}],
  'a pause': ['skill', { rule: 'ask' }, {}],
  'a breached budget': ['skill', { rule: '' }, { ledger: { ok: false, breaches: [breach] } }],
  'a check that errs': ['skill', { rule: 'err' }, {}],
  'no price': ['model', { rule: '' }, { priced: false }],
  'no progress': ['skill', { rule: '' }, { recent: same }],
  'a soft rate, a moment early': ['skill', { rule: '' }, { rates: early('soft', 1) }],
  'a soft rate, minutes early': ['skill', { rule: '' }, { rates: early('soft', 90) }],
  'a hard rate': ['skill', { rule: '' }, { rates: early('hard', 1) }],
  'a hard rate, asked again': ['skill', { rule: '' }, { rates: early('hard', 1), rechecked: true }],
  'no progress, asked again': ['skill', { rule: '' }, { recent: same, rechecked: true }],
  'a custom check, asked again': ['skill', { rule: 'own' }, { rechecked: true }],
  'a limit, asked again': ['skill', { rule: '' }, { rechecked: true, limits: { steps: 1 } }],
  'a policy, asked again': ['skill', { rule: 'no' }, { rechecked: true }],
  'a budget, asked again': ['skill', { rule: '' }, { rechecked: true, ledger: { ok: false, breaches: [breach] } }],
  'a halt': ['skill', { rule: '' }, { halted: true, rechecked: true }],
} as const;

/** `deny`, `pause` or `allow`, and what was noted instead. */
function cell(name: keyof typeof CASES, profile: Profile): string {
  const [kind, labels, changes] = CASES[name];
  const { answer } = checker.check(
    kind === 'skill' ? skillCall : modelCall,
    snapshotWith({ ...changes, run: { profile, labels } }),
  );
  const { ruling } = answer;
  const wait = ruling.effect === 'deny' && ruling.retryAfterMs !== undefined ? ` for ${ruling.retryAfterMs} ms` : '';
  return [`${ruling.effect}${wait}`, ...answer.notices.map(({ code, rule }) => `${code} ${rule}`)].join(', ');
}

describe('what each profile does with', () => {
  it.each([
    ['a deny', 'deny', 'deny', 'allow, would_deny default/no'],
    ['a pause', 'pause', 'pause', 'allow, would_pause default/ask'],
    ['a breached budget', 'deny', 'deny', 'allow, would_deny budget.run.calls.run'],
    ['a check that errs', 'deny', 'deny', 'allow, would_deny own'],
    ['no price', 'deny', 'deny', 'allow, would_deny prices'],
    ['no progress', 'pause', 'pause', 'allow, would_pause no-progress'],
    [
      'a soft rate, a moment early',
      'deny for 1000 ms',
      'allow, rate_warning rate.tenant.soft',
      'allow, would_wait rate.tenant.soft',
    ],
    [
      'a soft rate, minutes early',
      'pause',
      'allow, rate_warning rate.tenant.soft',
      'allow, would_pause rate.tenant.soft',
    ],
    ['a hard rate', 'deny', 'deny', 'allow, would_deny rate.tenant.hard'],
    ['a hard rate, asked again', 'deny', 'allow', 'allow, would_deny rate.tenant.hard'],
    ['no progress, asked again', 'pause', 'allow', 'allow, would_pause no-progress'],
    ['a custom check, asked again', 'deny', 'allow', 'allow, would_deny own'],
    ['a limit, asked again', 'deny', 'deny', 'allow, would_deny limits.steps'],
    ['a policy, asked again', 'deny', 'deny', 'allow, would_deny default/no'],
    ['a budget, asked again', 'deny', 'deny', 'allow, would_deny budget.run.calls.run'],
    ['a halt', 'deny', 'deny', 'deny'],
  ] as const)('%s', (name, ...expected) => {
    expect(PROFILES.map((profile) => cell(name, profile))).toEqual(expected);
  });
});

it('the rest of the table is data', () => {
  const row = (rule: keyof (typeof PROFILE_RULES)['STRICT']) => PROFILES.map((profile) => PROFILE_RULES[profile][rule]);
  expect(row('requirePolicySet')).toEqual([true, true, false]);
  expect(row('requireAssertion')).toEqual([true, false, false]);
  expect(row('traceFirst')).toEqual([true, true, false]);
  expect(row('softRates')).toEqual(['object', 'warn', 'object']);
  expect(row('refuseDevelopment')).toEqual([true, false, false]);
});

it('a spec may only make the profile stricter', () => {
  for (const inForce of PROFILES)
    for (const asked of PROFILES)
      expect(PROFILES.indexOf(stricter(inForce, asked))).toBe(
        Math.min(PROFILES.indexOf(inForce), PROFILES.indexOf(asked)),
      );
});
