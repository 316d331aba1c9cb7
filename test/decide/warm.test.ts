/** Policies asked while the facts are still being read: never another answer, and only where that can be of use. */
import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { loadPolicies } from '../../src/decide/cedar/cedar-check.js';
import { createPolicyChecker } from '../../src/decide/policy-checker.js';
import { modelCall, skillCall, snapshotWith } from './snapshots.js';

const CONDITIONS = [
  'context.arguments has amount_cents && context.arguments.amount_cents > 50',
  'context.arguments.missing == 1',
  'context.counters.denials > 1',
  'context.counters.steps + context.counters.modelCalls > 3',
  'context.counters.succeeded has "orders.lookup"',
  'context.labels has team && context.labels.team == "support"',
  'context.actor.roles.contains("operator")',
  'context.attempt > 1',
  'context.spentMicros > 10',
  'context.nowMs > 5',
  'context.approvals.contains("finance")',
  'context == {"a": 1}',
];
const annotations = ['', '@effect("pause") @authority("finance") ', '@mode("shadow") '];

const policy = fc
  .record({
    effect: fc.constantFrom('permit', 'forbid', 'forbid'),
    annotation: fc.constantFrom(...annotations),
    when: fc.constantFrom(...CONDITIONS),
  })
  .map(
    ({ effect, annotation, when }) =>
      (id: string) =>
        effect === 'permit'
          ? `@id("${id}") permit (principal, action, resource) when { ${when} };`
          : `@id("${id}") ${annotation}forbid (principal, action, resource) when { ${when} };`,
  );

const snapshot = fc
  .record({
    amount: fc.option(fc.integer({ min: 0, max: 100 })),
    denials: fc.nat({ max: 3 }),
    steps: fc.nat({ max: 3 }),
    looked: fc.boolean(),
    team: fc.option(fc.constantFrom('support', 'sales')),
    roles: fc.subarray(['operator', 'admin']),
    spent: fc.constantFrom('0', '100'),
    nowMs: fc.constantFrom(1, 10),
    approvals: fc.subarray(['finance', 'legal']),
  })
  .map(({ amount, denials, steps, looked, team, roles, spent, nowMs, approvals }) =>
    snapshotWith({
      nowMs,
      approvals,
      arguments: amount === null ? null : { amount_cents: amount },
      counters: { denials, steps, succeeded: looked ? { 'orders.lookup': 1 } : {} },
      budget: { spentMicros: spent, capMicros: '1000' },
      run: { deadlineMs: 100_000, labels: team === null ? {} : { team }, actor: { name: 'a', roles } },
    }),
  );

describe('a check that was warmed', () => {
  it('gives the same answer, whatever was guessed, however often, and of whichever set it was asked', () => {
    const seen = { warmed: 0 };
    fc.assert(
      fc.property(
        fc.array(policy, { minLength: 1, maxLength: 5 }),
        snapshot,
        fc.option(snapshot),
        fc.boolean(),
        fc.boolean(),
        (texts, facts, other, foreign, model) => {
          const files = {
            default: [
              '@id("all") permit (principal, action, resource);',
              ...texts.map((text, at) => text(`p${at}`)),
            ].join('\n'),
          };
          const [policies, others] = [
            loadPolicies(files),
            loadPolicies({ default: 'permit (principal, action, resource);' }),
          ];
          const checker = createPolicyChecker(policies, []);
          const intent = model ? modelCall : skillCall;
          const asked = foreign ? createPolicyChecker(others, []) : checker;
          // Without `other` the guess is right, but for what nobody can know before the facts are read.
          const guess = other ?? { ...facts, nowMs: 0, approvals: [], budget: { spentMicros: '0', capMicros: '0' } };
          const cold = checker.check(intent, facts).answer;
          const warmed = asked.warm(intent, guess);
          expect(checker.check(intent, facts).answer).toEqual(cold);
          expect(checker.check(intent, facts).answer).toEqual(cold);
          seen.warmed += warmed ? 1 : 0;
          policies.release();
          others.release();
        },
      ),
      { numRuns: 500, seed: 20261130 },
    );
    expect(seen.warmed).toBeGreaterThan(50);
  });

  it.each([
    ['arguments', 'context.arguments has a && context.arguments.a > 1', true],
    ['counters that only this step moves', 'context.counters.denials > 1', true],
    ['who asks, and labels', 'context.actor.roles.contains("x") || context.labels has team', true],
    ['nothing', 'true', true],
    ['what was spent', 'context.spentMicros > 1', false],
    ['the time', 'context.nowMs > 1', false],
    ['approvals', 'context.approvals.contains("finance")', false],
    ['what succeeded, which a settling call moves', 'context.counters.succeeded has "look"', false],
    ['the counters as a whole', 'context.counters == {"steps": 1}', false],
    ['everything', 'context == {"steps": 1}', false],
  ])('has something to warm where policies read %s: %s is %s', (_name, condition, expected) => {
    const text = `permit (principal, action, resource); @id("a") forbid (principal, action, resource) when { ${condition} };`;
    const checker = createPolicyChecker(loadPolicies({ default: text }), []);
    expect(checker.warm(skillCall, snapshotWith())).toBe(expected);
  });

  it('says itself what failed in warming', () => {
    const checker = createPolicyChecker(loadPolicies({ default: 'permit (principal, action, resource);' }), []);
    const gone = snapshotWith({ agent: { ...snapshotWith().agent, policies: ['gone'] } as never });
    expect(checker.warm(skillCall, gone)).toBe(false);
    expect(checker.check(skillCall, gone).answer.ruling).toMatchObject({
      effect: 'deny',
      reasons: [{ code: 'check_failed' }],
    });
  });
});
