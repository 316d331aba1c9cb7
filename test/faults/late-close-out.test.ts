/** A machine that is busy makes no finding: what the execute worker writes at the end of a run is waited for, while there is time. */
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { CONVERSATION } from './deployment.js';
import { endOf, ended, verdictOf } from './evidence.js';
import { createFaultRig, type FaultRig } from './rig.js';
import { until } from './until.js';

let rig: FaultRig;
beforeAll(async () => {
  rig = await createFaultRig(CONVERSATION);
  await rig.terms('acme', '1 hour', '40 seconds');
}, 60_000);
afterAll(() => rig.close());

describe('given an execute worker that dies as the run ends, and is away for a good part of the grace', () => {
  it('the run is COMPLETE, without a note, all the same', async () => {
    const [dying] = await Promise.all([
      rig.worker(['execute'], { ROK_CRASH_AT: 'execute.close_out.before' }),
      rig.worker(['control', 'audit']),
    ]);
    const handle = await rig.start('rok/acme/late');
    expect(await dying.exited).toBe('signal SIGKILL');
    const run = await rig.runOf('rok/acme/late');
    await until('a third of the grace to be over', async () => {
      const [row] = await rig.stack.admin.query(
        `SELECT FROM decide.runs WHERE workflow_id = $1 AND latched_at + interval '14 seconds' < clock_timestamp()`,
        ['rok/acme/late'],
      );
      return row;
    });
    expect(await endOf(rig.stack, run)).toEqual({ phase: 'FINALIZING', outcome: 'succeeded' });
    await rig.worker(['execute']);
    expect(await ended(rig.stack, run)).toEqual({ phase: 'COMPLETED', outcome: 'succeeded' });
    expect(await verdictOf(rig.stack, run)).toMatchObject({ status: 'COMPLETE', blocking: [], notes: [] });
    expect(await handle.result()).toMatchObject({ outcome: 'succeeded', verdict: 'COMPLETE' });
  }, 120_000);
});
