/** What makes Cedar cheap here must not change what it says: against Cedar asked plainly, on random sets and requests. */
import { describe, expect, it } from '@jest/globals';
import { isAuthorized, policyToJson } from '@cedar-policy/cedar-wasm/nodejs';
import fc from 'fast-check';
import { cedarRequest } from '../../src/decide/cedar/request.js';
import { prepareCedar, type CedarAnswer, type CedarRequest } from '../../src/decide/cedar/prepared-set.js';
import { usesOf } from '../../src/decide/cedar/facts-read.js';
import { RokError } from '../../src/domain/errors.js';
import { skillCall, snapshotWith } from './snapshots.js';

const jsonOf = (text: string) => {
  const parsed = policyToJson(text);
  if (parsed.type === 'failure') throw new Error(`${text}: ${parsed.errors[0]?.message ?? ''}`);
  return parsed.json;
};

/** Asked as Cedar's documentation has it: all policies as they stand, all facts. */
function plainly(texts: Readonly<Record<string, string>>, request: CedarRequest): CedarAnswer {
  const answer = isAuthorized({ ...request, policies: { staticPolicies: texts } });
  if (answer.type === 'failure') return { ok: false, message: answer.errors.map((one) => one.message).join('; ') };
  const { decision, diagnostics } = answer.response;
  return {
    ok: true,
    decision,
    determining: [...diagnostics.reason].sort(),
    errors: diagnostics.errors
      .map(({ policyId, error }) => ({ policy: policyId, message: error.message }))
      .sort((a, b) => (a.policy < b.policy ? -1 : 1)),
  };
}

const principals = [
  'principal',
  'principal == Agent::"acme/clerk"',
  'principal in Tenant::"acme"',
  'principal is Agent',
];
const more = ['principal is Agent in Tenant::"other"', 'principal == Agent::"x/y"'];
const actions = ['action', 'action == Action::"skill.call"', 'action in [Action::"model.call", Action::"skill.call"]'];
const resources = ['resource', 'resource == Skill::"orders.refund"', 'resource == Skill::"other"', 'resource is Skill'];
const conditions = [
  'context.arguments.amount_cents > 50',
  'context.arguments.amount_cents > 5000',
  'context.arguments has note && context.arguments.note like "*x*"',
  'context.arguments.missing == 1',
  'context.counters.succeeded has "orders.lookup"',
  'context.counters.steps + context.counters.denials > 3',
  'context has nothing',
  // Asked first by several, alone and followed by what holds, does not, or errs.
  'context.arguments has amount_cents',
  'context.arguments has amount_cents && context.arguments.amount_cents > 200',
  'context.arguments has amount_cents && context.arguments.amount_cents > 2000',
  'context.arguments has amount_cents && (context.arguments.amount_cents > 100 && context.arguments has note)',
  'context.arguments has amount_cents && context.arguments.missing == 2',
  'context.access && context.arguments has amount_cents',
  'context.arguments has amount_cents && context.attempt',
  'context.labels has team && context.labels.team == "support"',
  'context.actor.roles.contains("operator")',
  'principal.name == "clerk"',
  'resource == Skill::"orders.refund" && principal in Tenant::"acme"',
  'context == {"a": 1}',
  '!(context.outcome == "")',
  'if context.attempt > 1 then context.gone else false',
  '1 + context.access > 2',
  'true',
];
const policy = fc
  .record({
    effect: fc.constantFrom('permit', 'forbid', 'forbid', 'forbid'),
    principal: fc.constantFrom(...principals, ...more),
    action: fc.constantFrom(...actions),
    resource: fc.constantFrom(...resources),
    when: fc.array(fc.tuple(fc.constantFrom('when', 'unless'), fc.constantFrom(...conditions)), { maxLength: 3 }),
  })
  .map(({ effect, principal, action, resource, when }) => {
    const clauses = when.map(([kind, body]) => `${kind} { ${body} }`).join(' ');
    return `${effect} (${principal}, ${action}, ${resource}) ${clauses};`;
  });
const snapshot = fc
  .record({
    amount: fc.option(fc.integer({ min: 0, max: 10_000 })),
    note: fc.option(fc.constantFrom('x', 'y')),
    succeeded: fc.boolean(),
    denials: fc.nat({ max: 5 }),
    team: fc.option(fc.constantFrom('support', 'sales')),
    roles: fc.subarray(['operator', 'admin']),
  })
  .map(({ amount, note, succeeded, denials, team, roles }) =>
    snapshotWith({
      arguments: { ...(amount === null ? {} : { amount_cents: amount }), ...(note === null ? {} : { note }) },
      counters: { denials, ...(succeeded ? { succeeded: { 'orders.lookup': 1 } } : {}) },
      run: { labels: team === null ? {} : { team }, actor: { name: 'a', roles } },
    }),
  );

describe('a prepared set', () => {
  it('answers as Cedar does of all policies and all facts: decision, reasons and errors', () => {
    const seen = { allow: 0, deny: 0, errors: 0 };
    fc.assert(
      fc.property(fc.array(policy, { minLength: 1, maxLength: 12 }), snapshot, (list, facts) => {
        const texts = Object.fromEntries(list.map((text, at) => [`p${at}`, text]));
        const parsed = new Map(Object.entries(texts).map(([id, text]) => [id, jsonOf(text)]));
        const set = prepareCedar(parsed);
        const whole = cedarRequest(skillCall, facts, { context: 'all', entities: true });
        const expected = plainly(texts, whole);
        expect(set.ask(cedarRequest(skillCall, facts, usesOf([...parsed.values()])))).toEqual(expected);
        set.release();
        if (!expected.ok) return;
        seen[expected.decision] += 1;
        seen.errors += expected.errors.length > 0 ? 1 : 0;
      }),
      { numRuns: 400 },
    );
    expect(Object.values(seen).every((count) => count > 20)).toBe(true);
  });

  it('holds as many forbids as somebody writes', () => {
    const rule = (at: number) => jsonOf(`forbid (principal, action, resource) when { context.attempt > ${at + 100} };`);
    const rules = Array.from({ length: 2_000 }, (_, at) => [`r${at}`, rule(at)] as const);
    const set = prepareCedar(new Map([['all', jsonOf('permit (principal, action, resource);')], ...rules]));
    const request = (attempt: number) =>
      cedarRequest({ ...skillCall, attempt }, snapshotWith(), {
        context: new Map([['attempt', 'all']]),
        entities: false,
      });
    expect(set.ask(request(1))).toEqual({ ok: true, decision: 'allow', determining: ['all'], errors: [] });
    expect(set.ask(request(102))).toEqual({ ok: true, decision: 'deny', determining: ['r0', 'r1'], errors: [] });
    set.release();
  });

  it('that Cedar does not take is refused by name', () => {
    const broken = { ...jsonOf('permit (principal, action, resource);'), effect: 'perhaps' as never };
    expect(() => prepareCedar(new Map([['broken', broken]]))).toThrow(RokError);
  });
});
