/**
 * What whoever holds the signing key could say of a run that was not so, one planted wrong at a time, with the finding that the
 * records then come to. Of a bundle of a rich run of sealed-run.ts: the verdict names none of them.
 */
import type { Bundle } from '../../src/audit/evidence/evidence.js';
import type { JsonObject } from '../../src/domain/json.js';
import type { Edit } from './resigned.js';

type Told = NonNullable<Edit['events']>;

export function offences(bundle: Bundle): readonly (readonly [finding: string, edit: Edit])[] {
  const counted = (bytes: string, events: number): string => bytes.replace(/"events":\d+/, `"events":${events}`);
  const fewer =
    (gone: string): Told =>
    (bytes, id) =>
      id === gone ? null : id === 'run.closing' ? counted(bytes, bundle.trace.length - 1) : bytes;
  const more =
    (bytes: string): Told =>
    (one, id) =>
      id === 'run.closing' ? [bytes, counted(one, bundle.trace.length + 1)] : one;
  const act = (change: JsonObject): Edit => ({ records: { acts: (one) => ({ ...one, ...change }) } });
  const start: JsonObject = { step: 0, attempt: 1, kind: 'run.start' };
  const raised = (update: string): JsonObject => ({
    ...{ n: 1, update, scope: 'run', subject: bundle.run, unit: 'usd_micros', window: 'run', from: '1', to: '2' },
    ...{ actionDigest: 'a'.repeat(64), holds: [1], at: '2026-01-01T00:00:00.000000Z' },
  });
  return [
    ['MISMATCH answer', { records: { runs: (one) => ({ ...one, answer: 'f'.repeat(64) }) } }],
    ['MISMATCH answer', { records: { runs: (one) => ({ ...one, answer: null }) } }],
    ['MISMATCH answer', { records: { runs: (one) => ({ ...one, kind: 'own', answer: 'f'.repeat(64) }) } }],
    ['TRACE_BROKEN event 1.1.decided', { events: fewer('1.1.decided') }],
    ['TRACE_BROKEN event 1.1.executed', { events: fewer('1.1.executed') }],
    ['TRACE_BROKEN event hold.1.opened', { events: fewer('hold.1.opened') }],
    ['TRACE_BROKEN event hold.1.resolved', { events: fewer('hold.1.resolved') }],
    ['TRACE_BROKEN trace', { events: (bytes, id) => (id === 'run.closing' ? null : bytes) }],
    ['TRACE_BROKEN event run.closing', { events: (bytes, id) => (id === 'run.closing' ? counted(bytes, 3) : bytes) }],
    [
      'TRACE_BROKEN event run.closing',
      {
        events: more('{"body":{"code":"x"},"id":"1.call.1.refused","kind":"call.refused"}'),
        receipt: (r) => ({ ...r, facts: r.facts && { ...r.facts, refusedCalls: 1 } }),
      },
    ],
    ['HOLLOW event hold.2.opened', { events: more('{"body":{},"id":"hold.2.opened","kind":"hold.opened"}') }],
    ['HOLLOW event run.authorized', { events: more('{"body":{},"id":"run.authorized","kind":"run.authorized"}') }],
    [
      'HOLLOW event hold.1.resolved',
      { events: (bytes, id) => (id === 'hold.1.resolved' ? bytes.replace('approved', 'timed_out') : bytes) },
    ],
    [
      'HOLLOW event hold.1.opened',
      { events: (bytes, id) => (id === 'hold.1.opened' ? bytes.replace('"step":2', '"step":1') : bytes) },
    ],
    ['FORGED_APPROVAL hold 1', { records: { acts: () => null } }],
    ['FORGED_APPROVAL hold 1', act({ roles: ['approver:legal'] })],
    ['FORGED_APPROVAL hold 1', act({ verb: 'reject' })],
    ['FORGED_APPROVAL hold 1', act({ allowed: false })],
    ['FORGED_APPROVAL hold 1', act({ hold: 2 })],
    ['FORGED_APPROVAL hold 1', act({ actionDigest: 'f'.repeat(64) })],
    ['FORGED_APPROVAL hold 1', act({ at: '2020-01-01T00:00:00.000000Z' })],
    ['FORGED_APPROVAL hold 1', act({ at: '2999-01-01T00:00:00.000000Z' })],
    [
      'FORGED_APPROVAL hold 1',
      {
        records: {
          acts: (one) => ({ ...one, person: '00000000-0000-0000-0000-000000000001' }),
          runs: (one) => ({ ...one, requester: '00000000-0000-0000-0000-000000000001' }),
        },
      },
    ],
    [
      'FORGED_APPROVAL hold 1',
      {
        records: {
          acts: (one) => [one, { ...one, n: 2, update: 'u-2' }],
          decisions: (one) => (one['effect'] === 'pause' ? { ...one, holdQuorum: '2' } : one),
          holds: (one) => ({ ...one, quorum: 2 }),
        },
      },
    ],
    [
      'FORGED_APPROVAL hold 1',
      { records: { decisions: (one) => (one['effect'] === 'pause' ? { ...one, holdAuthority: 'legal' } : one) } },
    ],
    [
      'FORGED_APPROVAL start',
      {
        records: { decisions: (one) => (one['step'] === 1 ? [{ ...one, ...start }, one] : one) },
        events: more('{"body":{},"id":"run.authorized","kind":"run.authorized"}'),
        receipt: (r) => ({ ...r, facts: r.facts && { ...r.facts, allow: r.facts.allow + 1 } }),
      },
    ],
    ['UNWARRANTED step 2 attempt 2', { records: { uses: () => null } }],
    ['UNWARRANTED hold 1', { records: { uses: (one) => [one, { ...one, n: 2, step: 3, attempt: 1 }] } }],
    ['FORGED_APPROVAL a-raise', { added: { raises: [raised('a-raise')] } }],
    ['FORGED_APPROVAL u-1', { added: { raises: [raised('u-1')] } }],
  ];
}
