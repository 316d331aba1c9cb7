import { describe, expect, it } from '@jest/globals';
import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { loadPolicies } from '../../src/decide/cedar/cedar-check.js';
import { createPolicyChecker } from '../../src/decide/policy-checker.js';
import type { CheckResult } from '../../src/decide/checks/check.js';
import type { Snapshot } from '../../src/decide/snapshot.js';
import { RokError } from '../../src/domain/errors.js';
import type { Intent } from '../../src/domain/intent.js';
import { modelCall, runOutcome, skillCall, snapshotWith } from './snapshots.js';

const all = '@id("all") permit (principal, action, resource);';
const on = 'principal, action == Action::"skill.call", resource';

function checked(text: string, intent: Intent = skillCall, snapshot: Snapshot = snapshotWith()): CheckResult {
  return loadPolicies({ default: text }).check(intent, snapshot);
}
const codes = ({ objections }: CheckResult) =>
  objections.map((one) => `${one.effect} ${one.reason.code} ${one.reason.rule}`);

function problemOf(text: string): string {
  try {
    loadPolicies({ default: all, shop: text });
    return 'accepted';
  } catch (error) {
    if (!(error instanceof RokError) || error.code !== 'policy_invalid') throw error;
    return error.message;
  }
}

describe('a policy', () => {
  it('is named by its file and @id, or by its place', () => {
    const text = `${all} @id("no") forbid (${on}); forbid (${on});`;
    const result = checked(text);
    expect(codes(result)).toEqual(['deny policy_forbids default/no', 'deny policy_forbids default/policy2']);
    expect(result.determining).toEqual(['default/no', 'default/policy2']);
    expect(checked(all).determining).toEqual(['default/all']);
  });

  it('that permits is needed: none is a denial', () => {
    expect(codes(checked('@id("other") permit (principal, action == Action::"run.start", resource);'))).toEqual([
      'deny policy_not_permitted cedar',
    ]);
  });

  it('is asked of an agent that names its file, and of no other', () => {
    const policies = loadPolicies({ default: all, strict: `@id("no") forbid (${on});` });
    const agentWith = (files: readonly string[]) =>
      snapshotWith({ agent: { digest: skillCall.argumentsDigest, skills: [], policies: files, downgrade: null } });
    expect(codes(policies.check(skillCall, agentWith(['default'])))).toEqual([]);
    expect(codes(policies.check(skillCall, agentWith(['default', 'strict'])))).toEqual([
      'deny policy_forbids strict/no',
    ]);
    expect(() => policies.check(skillCall, agentWith(['gone']))).toThrow('no policy file `gone` in the set');
  });

  it('sees arguments, counters, labels, actor, money and outcome', () => {
    const facts = `${all} @id("no") forbid (principal in Tenant::"acme", action, resource) when {
      context.arguments.amount_cents == 100 && context.counters.succeeded has "orders.lookup" && context.labels.team == "support"
      && context.actor.roles.contains("requester") && context.spentMicros >= 5 && context.capMicros == 10
      && context.profile == "STANDARD" && context.outcome == "succeeded" };`;
    const snapshot = snapshotWith({
      counters: { succeeded: { 'orders.lookup': 1 } },
      run: { labels: { team: 'support' }, actor: { name: 'a', roles: ['requester'] }, outcome: 'succeeded' },
      budget: { spentMicros: '5', capMicros: '10' },
    });
    expect(codes(checked(facts, runOutcome, snapshot))).toEqual(['deny policy_forbids default/no']);
    expect(codes(checked(facts, runOutcome, { ...snapshot, budget: { spentMicros: '4', capMicros: '10' } }))).toEqual(
      [],
    );
  });

  it('sees what succeeded when, what was approved, and how often', () => {
    const after = `${all} @id("first-look") forbid (${on}) unless {
      context.counters.lastSuccess has "orders.lookup" && context.counters.lastSuccess["orders.lookup"] >= 2 };
      @id("one-voice") forbid (${on}) when { context.approvals.contains("finance") && context.counters.denials > 0 };`;
    const looked = (step: number, approvals: readonly string[] = []) =>
      snapshotWith({ counters: { lastSuccess: { 'orders.lookup': step }, denials: 1 }, approvals });
    expect(codes(checked(after))).toEqual(['deny policy_forbids default/first-look']);
    expect(codes(checked(after, skillCall, looked(1)))).toEqual(['deny policy_forbids default/first-look']);
    expect(codes(checked(after, skillCall, looked(2)))).toEqual([]);
    expect(codes(checked(after, skillCall, looked(3, ['finance', 'legal'])))).toEqual([
      'deny policy_forbids default/one-voice',
    ]);
  });

  it('about another action is not asked', () => {
    const broken = `${all} @id("broken") forbid (${on}) when { context.arguments.missing };`;
    expect(codes(checked(broken, modelCall))).toEqual([]);
    expect(codes(checked(broken))).toEqual(['deny check_failed default/broken']);
  });
});

describe('a policy that errs', () => {
  it('denies, though Cedar skips it', () => {
    const text = `${all} @id("typo") forbid (${on}) when { context.arguments.amuont_cents > 10 };`;
    const { objections } = checked(text);
    expect(objections).toHaveLength(1);
    expect(objections[0]).toMatchObject({
      effect: 'deny',
      final: false,
      reason: { code: 'check_failed', rule: 'default/typo' },
    });
  });

  it('denies as a pause too, and as a shadow only reports', () => {
    const condition = 'when { context.arguments.missing }';
    expect(codes(checked(`${all} @id("p") @effect("pause") forbid (${on}) ${condition};`))).toEqual([
      'deny check_failed default/p',
    ]);
    const shadow = checked(`${all} @id("s") @mode("shadow") forbid (${on}) ${condition};`);
    expect(codes(shadow)).toEqual([]);
    expect(shadow.notices?.map(({ code, rule }) => `${code} ${rule}`)).toEqual(['shadow default/s']);
  });

  it.each([
    ['have no Cedar value', { amount: 1.5 }],
    ['would be an entity', { amount: { __entity: { type: 'Tenant', id: 'acme' } } }],
    ['would be an expression', { amount: [{ __expr: '1' }] }],
  ])('denies when arguments that it reads %s, once', (_name, given) => {
    const reads = `${all} @id("r") forbid (${on}) when { context.arguments.amount == 7 };
      @id("ask") @effect("pause") forbid (${on}) when { context.arguments.amount == 8 };`;
    const snapshot = snapshotWith({ arguments: given });
    const checker = createPolicyChecker(loadPolicies({ default: reads }), []);
    const { ruling } = checker.check(skillCall, snapshot).answer;
    expect(ruling.effect === 'deny' ? ruling.reasons.map(({ code, rule }) => `${code} ${rule}`) : ruling).toEqual([
      'check_failed cedar',
    ]);
    // What no policy reads is nothing to Cedar.
    expect(codes(checked(all, skillCall, snapshot))).toEqual([]);
  });
});

it('a shadow policy only says what it would have done', () => {
  const result = checked(`${all} @id("s") @mode("shadow") @reason("too much") forbid (${on});`);
  expect(codes(result)).toEqual([]);
  expect(result.notices).toEqual([{ code: 'shadow', rule: 'default/s', text: 'would have blocked: too much' }]);
});

describe('a set that is refused', () => {
  it.each([
    ['does not parse', 'forbid (principal', 'policy file `shop` does not parse: '],
    ['holds a template', 'forbid (principal == ?principal, action, resource);', 'policy file `shop` holds a template'],
    ['has an id twice', `@id("a") forbid (${on}); @id("a") forbid (${on});`, 'policy `shop/a` is there twice'],
    [
      'has a quorum of none',
      `@id("q") @effect("pause") @quorum("0") forbid (${on});`,
      'policy `shop/q`: `@quorum` must be 1 to 16',
    ],
    [
      'has half a quorum',
      `@id("q") @effect("pause") @quorum("1.5") forbid (${on});`,
      'policy `shop/q`: `@quorum` must be',
    ],
    [
      'has a wrong sla',
      `@id("s") @effect("pause") @sla("soon") forbid (${on});`,
      'policy `shop/s`: `soon` is not a duration',
    ],
    [
      'has an sla without end',
      `@id("s") @effect("pause") @sla("9999d") forbid (${on});`,
      'policy `shop/s`: `@sla` must be',
    ],
    [
      'has a wrong timeout',
      `@id("t") @effect("pause") @on_timeout("shrug") forbid (${on});`,
      'policy `shop/t`: `@on_timeout` must be',
    ],
    ['has a misspelt effect', `@id("e") @effect("puase") forbid (${on});`, 'policy `shop/e`: `@effect` must be pause'],
    ['has a misspelt mode', `@id("m") @mode("shdow") forbid (${on});`, 'policy `shop/m`: `@mode` must be shadow'],
    [
      'pauses by a permit',
      `@id("p") @effect("pause") permit (${on});`,
      'policy `shop/p`: `@effect` and `@mode` are for a forbid',
    ],
  ])('%s, and the sentence names it', (_name, text, says) => {
    expect(problemOf(text).startsWith(says)).toBe(true);
  });
});

it('the set’s digest is of its text, whatever the order of files', () => {
  const one = loadPolicies({ a: all, b: '' });
  expect(loadPolicies({ b: '', a: all }).digest).toBe(one.digest);
  expect(loadPolicies({ a: `${all} `, b: '' }).digest).not.toBe(one.digest);
});

it('the policies that ship load, pause a large refund and refuse a huge one', () => {
  const folder = fileURLToPath(new URL('../../policies', import.meta.url));
  const files = readdirSync(folder).filter((name) => name.endsWith('.cedar'));
  const policies = loadPolicies(
    Object.fromEntries(
      files.map((name) => [name.slice(0, -'.cedar'.length), readFileSync(`${folder}/${name}`, 'utf8')]),
    ),
  );
  const agent = {
    digest: skillCall.argumentsDigest,
    skills: ['orders.refund'],
    policies: ['default', 'refunds'],
    downgrade: null,
  };
  const refund = (amount_cents: number) =>
    codes(policies.check(skillCall, snapshotWith({ agent, arguments: { amount_cents } })));
  expect([refund(10_000), refund(10_001), refund(100_001)]).toEqual([
    [],
    ['pause policy_requires_approval refunds/large-refund'],
    ['deny policy_forbids refunds/refund-ceiling', 'pause policy_requires_approval refunds/large-refund'],
  ]);
});
