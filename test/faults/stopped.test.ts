/** A process that is stopped in the middle of a workflow's script goes on when it is woken, however long ago that was. */
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { CONVERSATION } from './deployment.js';
import { createFaultRig, type FaultRig } from './rig.js';
import { until } from './until.js';

/** Longer than the 5 s that the SDK grants one call into a script, counted by the clock on the wall. */
const STOPPED_MS = 14_000;

let rig: FaultRig;
beforeAll(async () => {
  rig = await createFaultRig(CONVERSATION);
}, 60_000);
afterAll(() => rig.close());

it('given that the control worker is stopped for 14 s inside a workflow task, it finishes it and lives', async () => {
  const control = await rig.worker(['control'], {}, 'test/faults/spinning-worker.ts');
  const handle = await rig.start('rok/acme/spinning', {}, { workflowTaskTimeout: '60s' });
  await until('the workflow task', async () => {
    const { events } = await handle.fetchHistory();
    return events?.find((event) => event.workflowTaskStartedEventAttributes);
  });
  control.freeze();
  // The harm itself, not a wait for something to come true.
  await sleep(STOPPED_MS);
  control.wake();
  expect(await Promise.race([handle.result().then(() => 'done'), control.exited])).toBe('done');
  expect(control.lines.filter((line) => line.includes('timed out'))).toEqual([]);
}, 180_000);
