/** PolicyChecker against its naive model, on random scenes: every reason, every profile, every combination. */
import { expect, it } from '@jest/globals';
import fc from 'fast-check';
import { loadPolicies } from '../../src/decide/cedar/cedar-check.js';
import type { PolicyCheck } from '../../src/decide/checks/check.js';
import { createPolicyChecker, type Answer } from '../../src/decide/policy-checker.js';
import type { PastHold, RateLimit, Snapshot } from '../../src/decide/snapshot.js';
import { canonicalJson } from '../../src/domain/canonical-json.js';
import { ruleId } from '../../src/domain/ids.js';
import { INTENT_KINDS, type Intent } from '../../src/domain/intent.js';
import { PROFILES } from '../../src/domain/profiles.js';
import { proofSize } from '../proof-size.js';
import { expectedOf, type Expected, type Scene } from './policy-model.js';
import { modelCall, nowMs, snapshotWith } from './snapshots.js';

/** The set's rules are switched by labels, so that one set serves every scene. */
const policies = loadPolicies({
  default: `
    @id("permit") permit (principal, action, resource) when { context.labels.permit == "y" };
    @id("forbid") forbid (principal, action, resource) when { context.labels.forbid == "y" };
    @id("ask") @effect("pause") @authority("finance") forbid (principal, action, resource) when { context.labels.ask == "y" };
    @id("shadow") @mode("shadow") forbid (principal, action, resource) when { context.labels.shadow == "y" };
    @id("broken") forbid (principal, action, resource) when { context.labels.broken == "y" && context.arguments.gone };`,
});
const custom: PolicyCheck = {
  id: 'custom',
  bindsTo: INTENT_KINDS,
  check(_intent, snapshot) {
    const { does } = snapshot.run.labels;
    if (does === 'throws') throw new Error('it threw');
    if (does === 'nonsense') return [{ code: 'because' }] as never;
    return does === 'objects' ? [{ code: 'policy_forbids', rule: ruleId('custom/no'), text: 'no' }] : [];
  },
};
const checker = createPolicyChecker(policies, [custom]);
const yes = (on: boolean): string => (on ? 'y' : 'n');
const breachOf = (on_breach: string) => ({
  scope: 'run',
  subject: 'r',
  unit: 'usd_micros',
  window: 'run',
  on_breach,
  cap: '10',
  spent: '9',
  reserved: '1',
  over: '0',
});

const NOW_US = nowMs * 1000;
const rateOf = (enforcement: 'soft' | 'hard', waitS: number): RateLimit => ({
  scope: 'tenant',
  subject: 'acme',
  enforcement,
  calls: 1,
  periodS: 10_000,
  burst: 1,
  everyUs: 10_000_000_000,
  // A rest of a second is no credit.
  tatUs: NOW_US + (waitS === 0 ? -1 : waitS) * 1_000_000,
});

function snapshotOf(s: Scene): Snapshot {
  const holds: PastHold[] = [];
  if (s.standstill !== null)
    holds.push({
      hold: 1,
      reason: 'NO_PROGRESS',
      authority: 'operator',
      resolution: s.standstill,
      onTimeout: 'terminate',
    });
  if (s.asked !== null)
    holds.push({
      hold: 2,
      reason: 'APPROVAL_REQUIRED',
      authority: 'finance',
      resolution: s.asked,
      onTimeout: 'terminate',
    });
  if (s.rateHold !== null)
    holds.push({
      hold: 3,
      reason: 'RATE_LIMIT',
      authority: 'operator',
      resolution: s.rateHold,
      onTimeout: 'continue',
    });
  return snapshotWith({
    halted: s.halted,
    overrun: s.overrun,
    limits: {
      steps: s.steps,
      modelCalls: s.modelCallsAllowed,
      noProgress: s.pairs,
      skillCalls: s.skillCallsAllowed === null ? {} : { 'orders.refund': s.skillCallsAllowed },
    },
    counters: { modelCalls: s.modelCalls, skillCalls: { 'orders.refund': s.skillCalls } },
    agent: {
      digest: modelCall.argumentsDigest,
      skills: s.listed ? ['orders.refund'] : [],
      policies: ['default'],
      downgrade: null,
    },
    run: {
      profile: s.profile,
      deadlineMs: s.late ? nowMs : nowMs + 1,
      labels: {
        permit: yes(s.permit),
        forbid: yes(s.forbid),
        ask: yes(s.ask),
        shadow: yes(s.shadow),
        broken: yes(s.broken),
        does: s.custom,
      },
    },
    recent: s.results.map((result) => ({ request: 'r', result })),
    rechecked: s.rechecked,
    pastHolds: holds,
    inputTokens: s.contextKnown ? 10 : null,
    priced: s.priced,
    problems: s.problem ? [{ code: 'spec_invalid', text: 'tenant: no' }] : [],
    rates: { nowUs: NOW_US, limits: [rateOf('soft', s.softWait), rateOf('hard', s.hardWait)] },
    ledger: s.breach === null ? null : { ok: false, breaches: [breachOf(s.breach)] },
  });
}

const intentOf = (s: Scene): Intent => ({
  ...modelCall,
  kind: s.kind,
  target: s.kind === 'skill.call' ? 'orders.refund@1' : 'scripted/a',
  step: s.step,
});

function said({ ruling, notices, errors }: Answer): Expected {
  return {
    effect: ruling.effect,
    final: ruling.effect === 'deny' ? ruling.final : null,
    again: ruling.effect === 'deny' ? (ruling.retryAfterMs ?? null) : null,
    codes: ruling.effect === 'allow' ? [] : ruling.reasons.map((reason) => reason.code),
    would: notices.filter(({ code }) => code.startsWith('would_')).map(({ code }) => code),
    shadow: notices.filter(({ code }) => code === 'shadow').length,
    errors: errors.length,
  };
}

const few = fc.nat({ max: 3 });
const seldom = fc.nat({ max: 9 }).map((n) => n === 0);
const often = seldom.map((is) => !is);
const scene: fc.Arbitrary<Scene> = fc.record({
  profile: fc.constantFrom(...PROFILES),
  kind: fc.constantFrom('run.start', 'model.call', 'skill.call', 'run.outcome'),
  problem: seldom,
  halted: seldom,
  late: seldom,
  overrun: seldom,
  step: few,
  steps: fc.nat({ max: 9 }),
  modelCalls: few,
  modelCallsAllowed: fc.nat({ max: 9 }),
  skillCalls: few,
  skillCallsAllowed: fc.option(fc.nat({ max: 9 })),
  listed: often,
  contextKnown: often,
  priced: often,
  results: fc.array(fc.constantFrom('a', 'a', 'a', 'b'), { maxLength: 5 }),
  pairs: fc.integer({ min: 2, max: 5 }),
  rechecked: fc.boolean(),
  standstill: fc.constantFrom(null, null, null, 'approved', 'rejected'),
  permit: often,
  forbid: seldom,
  ask: fc.boolean(),
  asked: fc.constantFrom(null, 'approved', 'rejected'),
  shadow: fc.boolean(),
  broken: seldom,
  custom: fc.constantFrom('quiet', 'quiet', 'quiet', 'quiet', 'quiet', 'objects', 'throws', 'nonsense'),
  breach: fc.constantFrom(null, null, null, 'deny', 'pause'),
  softWait: fc.constantFrom(0, 0, 0, 0, 1, 59, 60, 7200),
  hardWait: fc.constantFrom(0, 0, 0, 0, 0, 1, 60),
  rateHold: fc.constantFrom(null, null, 'approved', 'rejected'),
});

it('agrees with its naive model in every reason, in their order, and is the same each time', () => {
  const seen: Record<string, number> = {};
  fc.assert(
    fc.property(scene, (one) => {
      const [intent, snapshot] = [intentOf(one), snapshotOf(one)];
      const before = canonicalJson(JSON.parse(JSON.stringify(snapshot)) as never);
      const { answer } = checker.check(intent, snapshot);
      expect(said(answer)).toEqual(expectedOf(one));
      expect(checker.check(intent, snapshot).answer).toEqual(answer);
      expect(checker.check(intent, { ...snapshot, ledger: null }).conclude(snapshot.ledger)).toEqual(answer);
      expect(canonicalJson(JSON.parse(JSON.stringify(snapshot)) as never)).toBe(before);
      seen[answer.ruling.effect] = (seen[answer.ruling.effect] ?? 0) + 1;
    }),
    { numRuns: proofSize({ quick: 1_500, full: 20_000 }) },
  );
  expect(Object.values(seen).filter((count) => count > 10)).toHaveLength(3);
}, 300_000);

it('is total: a snapshot that is none is denied, in words', () => {
  for (const none of [
    {},
    null,
    { run: {} },
    { run: { profile: 'LAX' } },
    { ...snapshotWith(), nowMs: Number.NaN },
  ] as const) {
    const { answer, conclude } = checker.check(modelCall, none as unknown as Snapshot);
    expect(answer.ruling).toMatchObject({ effect: 'deny', final: true });
    expect(answer.errors.length).toBeGreaterThan(0);
    expect(conclude(null)).toEqual(answer);
  }
});
