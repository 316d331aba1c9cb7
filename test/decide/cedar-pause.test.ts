/** What a policy with `@effect("pause")` asks for, and what answers it. */
import { describe, expect, it } from '@jest/globals';
import { loadPolicies } from '../../src/decide/cedar/cedar-check.js';
import type { CheckResult } from '../../src/decide/checks/check.js';
import type { PastHold, Snapshot } from '../../src/decide/snapshot.js';
import type { Intent } from '../../src/domain/intent.js';
import { skillCall, snapshotWith } from './snapshots.js';

const all = '@id("all") permit (principal, action, resource);';
const on = 'principal, action == Action::"skill.call", resource';

function checked(text: string, intent: Intent = skillCall, snapshot: Snapshot = snapshotWith()): CheckResult {
  return loadPolicies({ default: text }).check(intent, snapshot);
}
const codes = ({ objections }: CheckResult) =>
  objections.map((one) => `${one.effect} ${one.reason.code} ${one.reason.rule}`);

describe('a pause', () => {
  const pause = `${all} @id("ask") @effect("pause") @authority("finance") @sla("30m") @quorum("2")
    @on_timeout("escalate") @reason("finance looks") forbid (${on});`;
  const past = (resolution: string, changes: Partial<PastHold> = {}): Snapshot =>
    snapshotWith({
      pastHolds: [
        { hold: 1, reason: 'APPROVAL_REQUIRED', authority: 'finance', resolution, onTimeout: 'terminate', ...changes },
      ],
    });

  it('carries the terms of its annotations', () => {
    expect(checked(pause).objections).toEqual([
      {
        effect: 'pause',
        reason: { code: 'policy_requires_approval', rule: 'default/ask', text: 'finance looks' },
        terms: {
          reason: 'APPROVAL_REQUIRED',
          authority: 'finance',
          quorum: 2,
          slaMs: 1_800_000,
          onTimeout: 'escalate',
        },
      },
    ]);
  });

  it('that nobody answered asks the next authority, once, and then ends the run', () => {
    const asked = (text: string, resolution: string) => {
      const [one] = checked(text, skillCall, past(resolution)).objections;
      return one?.effect === 'pause' ? `${one.terms.authority} ${one.terms.quorum} ${one.terms.onTimeout}` : one;
    };
    expect(asked(pause, 'ended')).toBe('finance 2 escalate');
    expect(asked(pause, 'timed_out')).toBe('admin 2 terminate');
    const named = pause.replace('@on_timeout', '@escalate_to("cfo") @on_timeout');
    expect(asked(named, 'timed_out')).toBe('cfo 2 terminate');
    expect(asked(pause.replace('escalate', 'terminate'), 'timed_out')).toBe('finance 2 terminate');
  });

  it.each([
    ['`@escalate_to` needs', '@escalate_to("cfo")'],
    ['nobody is above `admin`', '@authority("admin") @on_timeout("escalate")'],
    ['nobody is above `cfo`', '@authority("cfo") @on_timeout("escalate") @escalate_to("cfo")'],
  ])('is refused: %s', (message, annotations) => {
    const wrong = `${all} @id("ask") @effect("pause") ${annotations} forbid (${on});`;
    expect(() => loadPolicies({ default: wrong })).toThrow(message);
  });

  it.each([
    ['approved', past('approved'), []],
    ['rejected', past('rejected'), ['deny approval_rejected default/ask']],
    ['timed out', past('timed_out'), ['pause policy_requires_approval default/ask']],
    ['approved by whom it was escalated to', past('approved', { authority: 'admin' }), []],
    [
      'rejected by whom it was escalated to',
      past('rejected', { authority: 'admin' }),
      ['deny approval_rejected default/ask'],
    ],
    ['ended', past('ended'), ['pause policy_requires_approval default/ask']],
    [
      'approved by another authority',
      past('approved', { authority: 'legal' }),
      ['pause policy_requires_approval default/ask'],
    ],
    [
      'approved for another reason',
      past('approved', { reason: 'BUDGET' }),
      ['pause policy_requires_approval default/ask'],
    ],
  ])('that was %s', (_name, snapshot, expected) => {
    expect(codes(checked(pause, skillCall, snapshot))).toEqual(expected);
  });

  it('that was both approved and rejected denies', () => {
    const [one] = past('approved').pastHolds;
    const [other] = past('rejected').pastHolds;
    const snapshot = snapshotWith({ pastHolds: [one, other].filter((hold) => hold !== undefined) });
    expect(codes(checked(pause, skillCall, snapshot))).toEqual(['deny approval_rejected default/ask']);
  });

  it('that timed out lets through only where the policy says so', () => {
    const lenient = `${all} @id("ask") @effect("pause") @on_timeout("continue") forbid (${on});`;
    expect(codes(checked(lenient, skillCall, past('timed_out', { authority: 'operator' })))).toEqual([]);
  });

  it('stands beside a plain forbid, and both are reported', () => {
    expect(codes(checked(`${pause} @id("no") forbid (${on});`)).sort()).toEqual([
      'deny policy_forbids default/no',
      'pause policy_requires_approval default/ask',
    ]);
  });
});
