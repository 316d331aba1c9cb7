/** A Temporal worker as something that can be stopped, and that says so when it stops by itself. */
import { Worker, type WorkerOptions } from '@temporalio/worker';
import type { RunningWorker } from './setup.js';

/**
 * How long one call into a workflow's script may last before the SDK takes it for an endless loop, by the clock on the wall. The
 * SDK's 5 s are over when a process is stopped inside a call and goes on later (SIGSTOP, a debugger, a machine that sleeps or is
 * very busy): the script is ended half-way, and now and then the whole process with it ("async hook stack has become corrupted").
 * Twice the longest stop that is tested (14 s, test/faults/stopped.test.ts). A loop without end still ends, and the workflow task
 * has long timed out by then (10 s). The SDK takes the option, though its types keep it to themselves.
 */
const SCRIPT_TIME = { isolateExecutionTimeout: '30s' } as const;

export async function runWorker(
  name: string,
  options: WorkerOptions,
  close: () => Promise<void>,
): Promise<RunningWorker> {
  const worker = await Worker.create({ ...options, ...SCRIPT_TIME });
  const running = worker.run();
  const failed = running.then(
    () => new Promise<never>(() => undefined),
    (error: unknown) => {
      throw error;
    },
  );
  failed.catch(() => undefined);
  return {
    name,
    failed,
    async stop() {
      if (worker.getState() === 'RUNNING') worker.shutdown();
      await running.catch(() => undefined);
      await close();
    },
  };
}
