/** Workers for the bare run, with the options that ROK's own workers have. */
import { heartbeat } from '@temporalio/activity';
import { Worker, type NativeConnection } from '@temporalio/worker';
import { DRAIN_MS, moduleFile } from '../src/workers/setup.js';
import type { BareActivities } from './bare-workflow.js';

export const BARE_QUEUES = { workflows: 'bench-bare', steps: 'bench-bare-steps' } as const;

const activities: BareActivities = {
  bareStep({ output }) {
    heartbeat();
    return Promise.resolve('x'.repeat(output));
  },
};

export async function startBare(connection: NativeConnection, namespace: string): Promise<{ stop(): Promise<void> }> {
  const shared = { connection, namespace, shutdownGraceTime: DRAIN_MS };
  const workers = await Promise.all([
    Worker.create({
      ...shared,
      taskQueue: BARE_QUEUES.workflows,
      workflowsPath: moduleFile('./bare-workflow.js', import.meta.url),
    }),
    Worker.create({
      ...shared,
      taskQueue: BARE_QUEUES.steps,
      activities,
      maxHeartbeatThrottleInterval: '1s',
      defaultHeartbeatThrottleInterval: '1s',
    }),
  ]);
  const running = workers.map((worker) => worker.run());
  return {
    async stop() {
      for (const worker of workers) worker.shutdown();
      await Promise.all(running);
    },
  };
}
