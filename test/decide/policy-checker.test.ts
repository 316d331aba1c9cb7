import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import type { PolicyCheck } from '../../src/decide/checks/check.js';
import { CUSTOM_CHECKS } from '../../src/decide/checks/registry.js';
import { loadPolicies } from '../../src/decide/cedar/cedar-check.js';
import { createPolicyChecker, type Answer } from '../../src/decide/policy-checker.js';
import type { Snapshot } from '../../src/decide/snapshot.js';
import { canonicalJson } from '../../src/domain/canonical-json.js';
import { ruleId } from '../../src/domain/ids.js';
import type { Intent } from '../../src/domain/intent.js';
import { PROFILES } from '../../src/domain/profiles.js';
import { modelCall, nowMs, runOutcome, runStart, skillCall, snapshotWith } from './snapshots.js';

const permitAll = '@id("all") permit (principal, action, resource);';
const pauseRefunds =
  '@id("ask") @effect("pause") @reason("ask first") forbid (principal, action == Action::"skill.call", resource);';
function checkerOf(text: string = permitAll, custom: readonly PolicyCheck[] = []) {
  const checker = createPolicyChecker(loadPolicies({ default: text }), custom);
  return { check: (intent: Intent, snapshot: Snapshot): Answer => checker.check(intent, snapshot).answer };
}
const checker = checkerOf();
const breach = {
  scope: 'run',
  subject: 'r',
  unit: 'usd_micros',
  window: 'run',
  on_breach: 'deny',
  cap: '10',
  spent: '9',
  reserved: '1',
  over: '0',
};
const failing: PolicyCheck = {
  id: 'failing',
  bindsTo: ['model.call', 'skill.call'],
  check() {
    throw new Error('out of \0 order \uD83D');
  },
};

describe('a check', () => {
  it.each([
    ['halted', modelCall, snapshotWith({ halted: true }), true],
    ['limit_wall_time', modelCall, snapshotWith({ run: { deadlineMs: nowMs } }), true],
    ['limit_steps', { ...modelCall, step: 4 }, snapshotWith({ limits: { steps: 3 } }), true],
    ['limit_model_calls', modelCall, snapshotWith({ limits: { modelCalls: 2 }, counters: { modelCalls: 2 } }), true],
    [
      'limit_skill_calls',
      skillCall,
      snapshotWith({
        limits: { skillCalls: { 'orders.refund': 1 } },
        counters: { skillCalls: { 'orders.refund': 1 } },
      }),
      false,
    ],
    ['policy_not_permitted', { ...skillCall, target: 'shell@1' }, snapshotWith(), false],
    ['overrun', modelCall, snapshotWith({ overrun: true }), true],
    ['context_unknown', modelCall, snapshotWith({ inputTokens: null }), true],
    ['no_price', modelCall, snapshotWith({ priced: false }), true],
    ['spec_invalid', runStart, snapshotWith({ problems: [{ code: 'spec_invalid', text: 'tenant: no' }] }), true],
    ['agent_unknown', runStart, snapshotWith({ problems: [{ code: 'agent_unknown', text: 'no agent' }] }), true],
    ['actor_refused', runStart, snapshotWith({ problems: [{ code: 'actor_refused', text: 'no' }] }), true],
    ['budget_exceeded', modelCall, snapshotWith({ ledger: { ok: false, breaches: [breach] } }), true],
    ['budget_exceeded', skillCall, snapshotWith({ ledger: { ok: false, breaches: [breach] } }), false],
  ] as const)('%s denies, as its only reason', (code, intent, snapshot, final) => {
    const { ruling, errors } = checker.check(intent, snapshot);
    expect(ruling.effect).toBe('deny');
    if (ruling.effect !== 'deny') return;
    expect(ruling.reasons.map((reason) => reason.code)).toEqual([code]);
    expect(ruling.final).toBe(final);
    expect(errors).toEqual([]);
  });

  it.each([
    ['a deadline that is a millisecond away', modelCall, snapshotWith({ run: { deadlineMs: nowMs + 1 } })],
    ['the last step', { ...modelCall, step: 3 }, snapshotWith({ limits: { steps: 3 } })],
    ['the last model call', modelCall, snapshotWith({ limits: { modelCalls: 2 }, counters: { modelCalls: 1 } })],
    ['a skill that has no limit', skillCall, snapshotWith({ counters: { skillCalls: { 'orders.refund': 99 } } })],
    ['a limit on a name that every object has', skillCall, snapshotWith({ limits: { skillCalls: { toString: 0 } } })],
    ['the outcome of a run past its deadline', runOutcome, snapshotWith({ run: { deadlineMs: 0 }, overrun: true })],
  ])('allows %s', (_name, intent, snapshot) => {
    expect(checker.check(intent, snapshot).ruling.effect).toBe('allow');
  });
});

describe('a ruling', () => {
  it('allows for two minutes, never past the deadline, and grants what the ledger affords', () => {
    const ledger = { ok: true, output_tokens: 80, warnings: [{ scope: 'tenant', subject: 'acme', unit: 'calls' }] };
    expect(checker.check(modelCall, snapshotWith({ ledger }))).toEqual({
      ruling: {
        effect: 'allow',
        grant: { notAfter: '2026-11-23T12:02:00.000Z', model: 'scripted/a', outputTokens: 80 },
      },
      determining: ['default/all'],
      errors: [],
      notices: [{ code: 'budget_warning', rule: 'budget.tenant.calls', text: 'tenant calls is at 80 % of its cap' }],
    });
    expect(checker.check(skillCall, snapshotWith({ run: { deadlineMs: nowMs + 60_000 } })).ruling).toEqual({
      effect: 'allow',
      grant: { notAfter: '2026-11-23T12:01:00.000Z' },
    });
  });

  it('keeps every reason, and deny beats pause beats allow', () => {
    const both = checkerOf(`${permitAll} ${pauseRefunds}`);
    expect(both.check(skillCall, snapshotWith()).ruling).toEqual({
      effect: 'pause',
      reasons: [{ code: 'policy_requires_approval', rule: 'default/ask', text: 'ask first' }],
      hold: {
        reason: 'APPROVAL_REQUIRED',
        authority: 'operator',
        quorum: 1,
        onTimeout: 'terminate',
        until: '2026-11-23T13:00:00.000Z',
      },
    });
    const { ruling } = both.check(skillCall, snapshotWith({ halted: true, run: { deadlineMs: 0 } }));
    expect(ruling).toMatchObject({ effect: 'deny', final: true });
    expect(ruling.effect === 'deny' ? ruling.reasons.map((reason) => reason.code) : []).toEqual([
      'halted',
      'limit_wall_time',
      'policy_requires_approval',
    ]);
  });

  it('of a breach is what its account says: pause, or a cheaper model, once', () => {
    const paused = checker.check(
      modelCall,
      snapshotWith({ ledger: { ok: false, breaches: [{ ...breach, on_breach: 'pause' }] } }),
    );
    expect(paused.ruling).toMatchObject({ effect: 'pause', hold: { reason: 'BUDGET', authority: 'finance' } });
    const past = (resolution: string) => ({
      pastHolds: [{ hold: 1, reason: 'BUDGET', authority: 'finance', resolution, onTimeout: 'terminate' }],
      ledger: { ok: false, breaches: [{ ...breach, on_breach: 'pause' }] },
    });
    const effectAfter = (resolution: string) => checker.check(modelCall, snapshotWith(past(resolution))).ruling.effect;
    expect(['raised', 'approved', 'rejected', 'timed_out'].map(effectAfter)).toEqual(['pause', 'deny', 'deny', 'deny']);
    const agent = { digest: modelCall.argumentsDigest, skills: [], policies: ['default'], downgrade: 'scripted/b' };
    const poor = snapshotWith({ agent, ledger: { ok: false, breaches: [{ ...breach, on_breach: 'downgrade' }] } });
    expect(checker.check(modelCall, poor).ruling).toMatchObject({
      effect: 'deny',
      final: false,
      suggest: { model: 'scripted/b' },
    });
    const cheap = checker.check({ ...modelCall, target: 'scripted/b' }, poor).ruling;
    expect(cheap).toMatchObject({ effect: 'deny', final: true });
    expect(cheap).not.toHaveProperty('suggest');
  });

  it('may come from a custom check, which is asked about what it binds to and nothing else', () => {
    const custom: PolicyCheck = {
      id: 'never',
      bindsTo: ['skill.call'],
      check: () => [{ code: 'policy_forbids', rule: ruleId('custom/never'), text: 'never' }],
    };
    const own = checkerOf(permitAll, [custom]);
    expect(own.check(skillCall, snapshotWith()).ruling).toMatchObject({ effect: 'deny', final: false });
    expect(own.check(modelCall, snapshotWith()).ruling.effect).toBe('allow');
    const shipped = checkerOf(permitAll, CUSTOM_CHECKS);
    const shouted = snapshotWith({ arguments: { reason: 'GIVE IT BACK' } });
    expect(shipped.check(skillCall, shouted).determining).toContain('custom/shouted-reason');
    expect(shipped.check(skillCall, snapshotWith({ arguments: { reason: 'Give it back' } })).ruling.effect).toBe(
      'allow',
    );
  });
});

describe('a check that errs', () => {
  it.each(['STRICT', 'STANDARD'] as const)('denies in %s, in words that can be stored', (profile) => {
    const { ruling, errors } = checkerOf(permitAll, [failing]).check(skillCall, snapshotWith({ run: { profile } }));
    const reason = {
      code: 'check_failed',
      rule: 'failing',
      text: 'check `failing` failed: out of \uFFFD order \uFFFD',
    };
    expect(ruling).toEqual({ effect: 'deny', final: true, reasons: [reason] });
    expect(errors).toEqual([reason]);
  });

  it('is recorded in OBSERVE_ONLY', () => {
    const answer = checkerOf(permitAll, [failing]).check(skillCall, snapshotWith({ run: { profile: 'OBSERVE_ONLY' } }));
    expect(answer.ruling.effect).toBe('allow');
    expect(answer.errors.map((error) => error.code)).toEqual(['check_failed']);
    expect(answer.notices.map((notice) => [notice.code, notice.rule])).toEqual([['would_deny', 'failing']]);
  });
});

describe('OBSERVE_ONLY', () => {
  const watched = (changes: Parameters<typeof snapshotWith>[0] = {}) =>
    snapshotWith({ ...changes, run: { ...changes.run, profile: 'OBSERVE_ONLY' } });

  it('lets through what would have been denied or paused, and says so', () => {
    const both = checkerOf(`${permitAll} ${pauseRefunds}`);
    const answer = both.check({ ...skillCall, step: 9 }, watched({ limits: { steps: 1 } }));
    expect(answer.ruling.effect).toBe('allow');
    expect(answer.notices.map((notice) => notice.code)).toEqual(['would_deny', 'would_pause']);
  });

  it('holds a halt all the same, and a spec that does not parse', () => {
    expect(checker.check(modelCall, watched({ halted: true })).ruling).toMatchObject({
      effect: 'deny',
      reasons: [{ code: 'halted' }],
    });
    const problems = [{ code: 'spec_invalid' as const, text: 'no' }];
    expect(checker.check(runStart, watched({ problems })).ruling.effect).toBe('deny');
    expect(checker.check(modelCall, watched({ inputTokens: null })).ruling.effect).toBe('deny');
  });
});

/** The rule, spelled out again: what the reasons are, from the snapshot alone. */
it('agrees with a naive model on random snapshots, in every profile, and always the same way', () => {
  const both = checkerOf(`${permitAll} ${pauseRefunds}`);
  const snapshots = fc.record({
    halted: fc.boolean(),
    overrun: fc.boolean(),
    late: fc.boolean(),
    steps: fc.integer({ min: 0, max: 3 }),
    broke: fc.boolean(),
    profile: fc.constantFrom(...PROFILES),
    skill: fc.boolean(),
  });
  fc.assert(
    fc.property(snapshots, ({ halted, overrun, late, steps, broke, profile, skill }) => {
      const intent = skill ? skillCall : modelCall;
      const snapshot = snapshotWith({
        halted,
        overrun,
        limits: { steps },
        run: { profile, deadlineMs: late ? nowMs : nowMs + 1 },
        ledger: broke ? { ok: profile === 'OBSERVE_ONLY', breaches: [breach] } : null,
      });
      const answer = both.check(intent, snapshot);
      const denies = profile === 'OBSERVE_ONLY' ? halted : halted || overrun || late || intent.step > steps || broke;
      const pauses = profile !== 'OBSERVE_ONLY' && skill;
      expect(answer.ruling.effect).toBe(denies ? 'deny' : pauses ? 'pause' : 'allow');
      const said = [
        ...(answer.ruling.effect === 'allow' ? [] : answer.ruling.reasons),
        ...answer.notices.filter((notice) => notice.code.startsWith('would_')),
      ];
      const objections = [halted, overrun, late, intent.step > steps, broke, skill];
      expect(said).toHaveLength(objections.filter(Boolean).length);
      expect(both.check(intent, snapshot)).toEqual(answer);
      expect(canonicalJson(JSON.parse(JSON.stringify(answer)) as never)).not.toBe('');
    }),
    { numRuns: 300 },
  );
});
