/** Wraps a Temporal worker so that it can be stopped, and reports when it stops by itself. */
import { Worker, type WorkerOptions } from '@temporalio/worker';
import type { RunningWorker } from './setup.js';

/**
 * How long one call into a workflow's script may last before the SDK takes it for an endless loop, by the clock on the wall. The
 * SDK's 5 s are over when a process is stopped inside a call and goes on later (SIGSTOP, a debugger, a machine that sleeps), and
 * when a machine is very busy: the script is ended half-way, and now and then the whole process with it ("async hook stack has
 * become corrupted"). What is needed is the stop and, after it, what the rest of the call takes at that load. Measured on 2 cores,
 * 2026-11-30, with the call of test/faults/spinning-workflows.ts, 1.5 s of work, as a process by itself: 7.0, 7.4 and 17.2 s by the
 * clock at a load of 15, so the busy machine alone was over 5 s. The longest stop that is tested is 14 s
 * (test/faults/stopped.test.ts), which leaves 16 s for such a call; a task of ROK's own computes for a fraction of one. A loop
 * without end still ends, and the workflow task has long timed out by then (10 s). The SDK takes the option, though its types keep
 * it to themselves.
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
