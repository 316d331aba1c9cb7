/** What a trace tells of the holds of a run, several at once, against their rows: each by its own number, key and end. */
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { judgeDue } from '../../src/audit/judge/judge.js';
import type { OpenDatabase } from '../../src/platform/postgres/database.js';
import { createStack, type Stack } from '../stack/stack.js';
import { aRun, storyOf, traceOf, type EventFact } from './facts.js';
import { openAs, verdictsOf } from './judged.js';
import { plant } from './plant.js';

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

const HELD = [
  { hold: 1, step: 7, attempt: 1, reason: 'UNKNOWN_RESULT', action: '', resolution: 'timed_out' },
  { hold: 2, step: 8, attempt: 1, reason: 'UNKNOWN_RESULT', action: '', resolution: 'timed_out' },
  { hold: 3, step: 8, attempt: 1, reason: 'MANUAL', action: '', resolution: 'ended' },
] as const;
type Held = Omit<(typeof HELD)[number], 'action' | 'resolution'> & {
  readonly action: string;
  readonly resolution: string;
};

const opened = ({ hold, step, attempt, reason, action }: Held): EventFact => ({
  id: `hold.${hold}.opened`,
  kind: 'hold.opened',
  body: JSON.stringify({ action, attempt, authority: 'finance', reason, step, until: 'then' }),
});
const resolved = ({ hold, resolution }: Held): EventFact => ({
  id: `hold.${hold}.resolved`,
  kind: 'hold.resolved',
  body: JSON.stringify({ resolution }),
});
const told = [...HELD.map(opened), ...HELD.map(resolved)];

/** Rows as in HELD, whatever the trace tells. */
async function judgeTold(events: readonly EventFact[]): Promise<unknown> {
  const plain = aRun();
  const before = storyOf(plain).slice(0, -1);
  const length = before.length + events.length + 1;
  const closing = { id: 'run.closing', kind: 'run.closing', body: `{"events":${length},"outcome":"succeeded"}` };
  const story = [...before, ...events, closing];
  await plant(stack.admin, [{ ...plain, story, trace: traceOf(story) }]);
  await stack.admin.query(
    `INSERT INTO decide.holds (run_id, hold, step, attempt, action_digest, reason, authority, quorum, opened_by, until, on_timeout, resolution, resolved_at)
    SELECT $1, hold, step, attempt, nullif(action, ''), reason, 'finance', 1, 'policy', now(), 'terminate', resolution, now()
    FROM jsonb_to_recordset($2) AS x (hold integer, step integer, attempt integer, action text, reason text, resolution text)`,
    [plain.run, JSON.stringify(HELD)],
  );
  await judgeDue(audit);
  return (await verdictsOf(stack.admin, [plain.run]))[0];
}
const changed = (id: string, over: Partial<Held>): readonly EventFact[] =>
  told.map((event) => {
    if (event.id !== id) return event;
    const held = { ...HELD.find(({ hold }) => id.startsWith(`hold.${hold}.`)), ...over } as Held;
    return id.endsWith('.opened') ? opened(held) : resolved(held);
  });
const incomplete = (code: string, id: string, detail: string) => ({
  status: 'INCOMPLETE',
  findings: [{ code, blocking: true, subject: `event ${id}`, detail }],
});

describe('the holds that a trace tells of', () => {
  it('each with its key and its end are no finding, the one that ended with the run too', async () => {
    expect(await judgeTold(told)).toEqual({ status: 'COMPLETE', findings: [] });
  });

  it.each([
    ['hold.1.resolved', { resolution: 'rejected' }],
    ['hold.2.resolved', { resolution: 'approved' }],
    ['hold.3.resolved', { resolution: 'resumed' }],
    ['hold.1.opened', { action: 'a'.repeat(64) }],
    ['hold.2.opened', { step: 7 }],
    ['hold.2.opened', { attempt: 11 }],
    ['hold.3.opened', { reason: 'UNKNOWN_RESULT' }],
  ] as readonly (readonly [string, Partial<Held>])[])('HOLLOW: %s says %j', async (id, over) => {
    const detail = `it says of hold ${id.split('.')[1] ?? ''} what its row does not`;
    expect(await judgeTold(changed(id, over))).toEqual(incomplete('HOLLOW', id, detail));
  });

  it.each(told.map(({ id }) => id))('TRACE_BROKEN: %s is not told', async (id) => {
    expect(await judgeTold(told.filter((event) => event.id !== id))).toEqual(
      incomplete('TRACE_BROKEN', id, 'the trace does not tell of this hold'),
    );
  });
});
