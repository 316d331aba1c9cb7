import { fileURLToPath } from 'node:url';
import { describe, expect, it } from '@jest/globals';
import { bundleWorkflowCode, Worker } from '@temporalio/worker';
import { recordedHistories } from './recording.js';

const workflowsPath = fileURLToPath(new URL('../../src/workflows/index.ts', import.meta.url));

describe('recorded histories', () => {
  it('replay with the workflow code of today', async () => {
    const workflowBundle = await bundleWorkflowCode({ workflowsPath });
    const recorded = await recordedHistories();
    expect(recorded.map(({ name }) => name)).toEqual(['demo.bin', 'prepared.bin', 'rejected.bin', 'repaired.bin']);
    for (const { history } of recorded) await Worker.runReplayHistory({ workflowBundle }, history);
  }, 60_000);

  it('are refused when something else would have been done', async () => {
    const workflowBundle = await bundleWorkflowCode({ workflowsPath });
    const [demo] = await recordedHistories();
    if (demo === undefined) throw new Error('no history is recorded');
    for (const { activityTaskScheduledEventAttributes: scheduled } of demo.history.events)
      if (scheduled?.activityType?.name === 'execute.close_out') scheduled.activityType.name = 'execute.close_in';
    await expect(Worker.runReplayHistory({ workflowBundle }, demo.history)).rejects.toThrow(/[Nn]ondeterminism/);
  }, 60_000);
});
