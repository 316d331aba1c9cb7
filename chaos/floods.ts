/** Messages that nobody should have sent, many at once, to runs that are under way: none may wedge, end or hurry one. */
import { setTimeout as sleep } from 'node:timers/promises';
import { defineUpdate } from '@temporalio/workflow';
import { openRuns, type Chaos } from './lives.js';

const RUNS = 3;
const SIGNALS = 50;
const UPDATES = 20;
/** Whether an answer comes is not what this is about: the control worker may be away. */
const PATIENCE_MS = 2_000;

const stranger = { actor: { local: 'mallory' } };
/** Of the wrong person, type, size or form; ids as other systems make them. */
const WRONG: readonly (readonly [update: string, arg: unknown, id: string])[] = [
  ['kill', stranger, 'ticket #5'],
  ['kill', 'now', 'a b@c'],
  ['pause', { ...stranger, reason: 'x'.repeat(5_000) }, 'YWJjZA=='],
  ['cancel', { actor: { local: '' }, reason: 'nul \u0000' }, 'x'.repeat(200)],
  ['approve', { ...stranger, hold: 'x', digest: '\u0000' }, 'hold/1'],
  ['approve', { ...stranger, hold: 2 ** 40, digest: '0'.repeat(64) }, 'hold/2'],
  ['reject', { ...stranger, hold: 1.5, digest: '0'.repeat(64) }, 'hold/3'],
  ['raise_budget', { ...stranger, cap: '-1' }, 'more'],
  ['no_such_update', null, 'unknown'],
];

/** Until `endMs`. */
export async function floods({ rig, random, endMs, injections }: Chaos): Promise<void> {
  let flooded = 0;
  for (;;) {
    await sleep(Math.max(0, Math.min(random.between(3_000, 8_000), endMs - Date.now())));
    if (Date.now() >= endMs) return;
    const open = await rig.stack.admin.query<{ workflow_id: string }>(
      `SELECT workflow_id FROM decide.runs WHERE phase NOT IN ('COMPLETED', 'FAILED') ORDER BY workflow_id LIMIT 50`,
    );
    const inFlight = await openRuns(rig);
    const chosen = Array.from({ length: Math.min(RUNS, open.length) }, () =>
      open.at(Math.floor(random.next() * open.length)),
    ).flatMap((run) => run?.workflow_id ?? []);
    flooded += 1;
    await Promise.all(chosen.map((workflowId) => flood(rig.client, workflowId, flooded)));
    if (chosen.length > 0) injections.push({ at: new Date().toISOString(), what: 'flood of messages', inFlight });
  }
}

/** A run may end under it: what is refused is not looked at. */
async function flood(client: Chaos['rig']['client'], workflowId: string, n: number): Promise<void> {
  const handle = client.workflow.getHandle(workflowId);
  await client.withDeadline(Date.now() + PATIENCE_MS, async () => {
    const signals = Array.from({ length: SIGNALS }, (_, at) =>
      at % 2 === 0 ? handle.signal('finalize_run', { by: 'chaos' }) : handle.signal('no_such_signal', at),
    );
    const updates = Array.from({ length: UPDATES }, (_, at) => {
      const [name, arg, id] = WRONG[at % WRONG.length] ?? ['kill', null, 'none'];
      return handle.startUpdate(defineUpdate<unknown, [unknown]>(name), {
        args: [arg],
        updateId: `${id} ${n}.${at}`,
        waitForStage: 'ACCEPTED',
      });
    });
    await Promise.allSettled([...signals, ...updates]);
  });
}
