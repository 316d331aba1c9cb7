/** That a run's verdict is COMPLETE means that it was done: its answer, its trace and its settlements against the rows, each planted wrong. */
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { OpenDatabase } from '../../src/platform/postgres/database.js';
import { createStack, type Stack } from '../stack/stack.js';
import {
  aFailedRun,
  aRun,
  aTry,
  contentOf,
  storyOf,
  traceOf,
  type EventFact,
  type RunFacts,
  type TryFact,
} from './facts.js';
import { judgePlanted, openAs } from './judged.js';
import type { ModelFinding } from './model.js';

let stack: Stack;
let audit: OpenDatabase;
beforeAll(async () => {
  stack = await createStack();
  audit = await openAs(stack, 'audit');
});
afterAll(async () => {
  await audit.close();
  await stack.drop();
});

const judge = (facts: RunFacts) => judgePlanted(stack.admin, audit, facts);
const incomplete = (code: string, subject: string, detail: string) => ({
  status: 'INCOMPLETE',
  findings: [{ code, blocking: true, subject, detail } satisfies ModelFinding],
});
const COMPLETE = { status: 'COMPLETE', findings: [] };
const skill = aTry({ step: 2, kind: 'skill.call', access: 'write' });

describe('MISMATCH: the answer', () => {
  const tries = [aTry(), skill, aTry({ step: 3 })];
  const notLast = incomplete('MISMATCH', 'answer', 'it is not what the last model call that succeeded gave');
  it.each([
    ['of nothing that was executed', 'f'.repeat(64)],
    ['of an earlier model call', contentOf({ step: 1, attempt: 1 })],
    ['of a skill call', contentOf(skill)],
  ])('of a succeeded run of an agent is %s', async (_what, answer) => {
    expect(await judge(aRun({ tries, answer }))).toEqual(notLast);
  });
  it('of a succeeded run of an agent is not there', async () => {
    expect(await judge(aRun({ tries, answer: null }))).toEqual(
      incomplete('MISMATCH', 'answer', 'succeeded, without an answer'),
    );
  });
  it('of an own workflow is what nobody executed', async () => {
    expect(await judge(aRun({ kind: 'own', tries: [skill], answer: 'anything' }))).toEqual(
      incomplete('MISMATCH', 'answer', 'it is not what an attempt that succeeded gave'),
    );
  });
  it.each([null, contentOf(skill)])('of an own workflow may be none, or what a skill gave: %s', async (answer) => {
    expect(await judge(aRun({ kind: 'own', tries: [skill], answer }))).toEqual(COMPLETE);
  });
  it('of a run that was killed with its answer in hand is no finding, and none is asked for', async () => {
    for (const answer of [contentOf({ step: 1, attempt: 1 }), null])
      expect(await judge(aFailedRun({ answer }))).toEqual(COMPLETE);
  });
});

describe('the trace against the rows', () => {
  const telling = (change: (story: readonly EventFact[]) => readonly EventFact[], over: Partial<RunFacts> = {}) => {
    const facts = (over.outcome === undefined ? aRun : aFailedRun)(over);
    const changed = change(facts.story);
    const closing = changed.at(-1);
    const events = changed.length;
    const story = changed.map((event) =>
      event === closing ? { ...event, body: event.body.replace(/[0-9]+/, String(events)) } : event,
    );
    return judge({ ...facts, story, trace: traceOf(story) });
  };
  const adding = (event: EventFact) => (story: readonly EventFact[]) => [event, ...story];
  const without = (id: string) => (story: readonly EventFact[]) => story.filter((event) => event.id !== id);
  const executed = (body: object): EventFact => ({
    id: '2.1.executed',
    kind: 'step.executed',
    body: JSON.stringify(body),
  });

  it.each([
    { id: '2.1.decided', kind: 'step.decided', body: '{}' },
    executed({ result: 'f'.repeat(64), status: 'succeeded' }),
    // What a poller on the executors' queue makes of a step that it never took.
    executed({ result: '', status: 'succeeded' }),
    executed({ result: 'f'.repeat(64), status: 'unknown' }),
    { id: 'hold.1.opened', kind: 'hold.opened', body: '{}' },
    { id: 'hold.1.resolved', kind: 'hold.resolved', body: '{"resolution":"approved"}' },
    { id: 'run.authorized', kind: 'run.authorized', body: '{}' },
    { id: 'anything', kind: 'step.decided', body: '{}' },
  ])('HOLLOW: an event without a row: $id $body', async (event) => {
    expect(await telling(adding(event))).toEqual(
      incomplete('HOLLOW', `event ${event.id}`, 'there is no row that it tells of'),
    );
  });
  it('that a step never began, or that nothing was heard of it, is told without a row', async () => {
    expect(await telling(adding(executed({ result: '', status: 'failed' })))).toEqual(COMPLETE);
    expect(await telling(adding(executed({ result: '', status: 'unknown' })))).toEqual(COMPLETE);
  });
  it('an event whose bytes are no text is no error of the judge', async () => {
    const facts = aRun();
    const story = adding({ id: '2.1.executed', kind: 'step.executed', body: '"\\u0000"' })(facts.story);
    expect(await judge({ ...facts, story, trace: traceOf(story) })).toMatchObject({
      findings: [{ code: 'HOLLOW' }, { code: 'TRACE_BROKEN', subject: 'event run.closing' }],
    });
  });
  it.each([
    ['1.1.decided', 'decision'],
    ['1.1.executed', 'attempt'],
  ])('TRACE_BROKEN: %s is not told', async (id, what) => {
    expect(await telling(without(id))).toEqual(
      incomplete('TRACE_BROKEN', `event ${id}`, `the trace does not tell of this ${what}`),
    );
  });
  it('a run that was cut short may not have heard of its last step', async () => {
    expect(await telling(without('1.1.executed'), { outcome: 'failed' })).toEqual(COMPLETE);
  });
  it('an own workflow may give up a step that nobody began, and no other', async () => {
    const asked = aTry({
      step: 2,
      attempted: false,
      warrant: 'released',
      charge: { micros: 0, tokens: 0, costMicros: null },
    });
    const own = { kind: 'own', tries: [aTry(), asked] } as const;
    expect(await telling(without('2.1.decided'), own)).toEqual(COMPLETE);
    expect(await telling(without('1.1.decided'), own)).toEqual(
      incomplete('TRACE_BROKEN', 'event 1.1.decided', 'the trace does not tell of this decision'),
    );
  });
  it('TRACE_BROKEN: its last event counts other events than there are', async () => {
    const facts = aRun();
    const story = storyOf(facts).map((event) =>
      event.id === 'run.closing' ? { ...event, body: '{"events":30,"outcome":"succeeded"}' } : event,
    );
    expect(await judge({ ...facts, story })).toEqual(
      incomplete('TRACE_BROKEN', 'event run.closing', 'it does not count the 3 events'),
    );
  });
  it('whoever repaired a run does not count what was told before', async () => {
    const facts = aFailedRun({ evaluation: { outcome: 'failed', kind: 'run.repair' } });
    const story = facts.story.map((event) => (event.id === 'run.closing' ? { ...event, body: '{}' } : event));
    expect(await judge({ ...facts, story })).toEqual(COMPLETE);
  });
});

describe('MISMATCH: settled otherwise than executed', () => {
  const none = { micros: 0, tokens: 0, costMicros: null };
  const LAST = aTry({ step: 9 });
  const settled = (one: TryFact) => judge(aRun({ tries: [one, LAST] }));
  it.each<[string, Partial<TryFact>]>([
    ['forfeited, and succeeded', { warrant: 'forfeited' }],
    ['forfeited, and failed', { warrant: 'forfeited', result: 'failed', overMicros: 1 }],
    ['failed, and charged', { result: 'failed', charge: { micros: 10, tokens: 5, costMicros: 10 } }],
    ['skill.call, and charged', { kind: 'skill.call', charge: { micros: 1, tokens: 0, costMicros: 1 } }],
    ['settled at other tokens than reported', { charge: { micros: 10, tokens: 3, costMicros: 10 } }],
    ['settled on the wrong side of its bound', { charge: { micros: 11, tokens: 5, costMicros: 11 } }],
    ['settled at another cost', { charge: { micros: 10, tokens: 5, costMicros: 17 } }],
    ['settled at another cost', { charge: { micros: 10, tokens: 5, costMicros: null } }],
  ])('%s', async (detail, over) => {
    const verdict = await settled(aTry(over));
    expect(verdict?.findings.filter((one) => one.code !== 'OVERRUN')).toEqual(
      incomplete('MISMATCH', 'step 1 attempt 1', detail).findings,
    );
  });
  it('settled, and unknown; forfeited, and not in full; redeemed when the run had ended', async () => {
    const unknown = aTry({ result: 'unknown' });
    const cases = [
      [{ ...unknown, warrant: 'settled' }, 'settled, and unknown'],
      [{ ...unknown, charge: { ...unknown.charge, micros: 9 } }, 'forfeited, and not in full'],
      [{ ...unknown, warrant: 'redeemed' }, 'redeemed when the run had ended'],
    ] as const;
    for (const [one, detail] of cases)
      expect((await settled(one))?.findings).toContainEqual(
        incomplete('MISMATCH', 'step 1 attempt 1', detail).findings[0],
      );
  });
  it.each<[string, Partial<TryFact>]>([
    ['settled without an attempt', { warrant: 'settled' }],
    ['redeemed without an attempt', { warrant: 'redeemed' }],
    ['released, and charged', { warrant: 'released' }],
    ['issued when the run had ended', { warrant: 'issued', charge: none }],
  ])('without an attempt: %s', async (detail, over) => {
    expect(await settled(aTry({ attempted: false, ...over }))).toEqual(
      incomplete('MISMATCH', 'step 1 attempt 1', detail),
    );
  });
  it('a warrant that nobody took is released for nothing', async () => {
    expect(await settled(aTry({ attempted: false, warrant: 'released', charge: none }))).toEqual(COMPLETE);
  });
});
