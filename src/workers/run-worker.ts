/** A Temporal worker as something that can be stopped, and that says so when it stops by itself. */
import { Worker, type WorkerOptions } from '@temporalio/worker';
import type { RunningWorker } from './setup.js';

export async function runWorker(
  name: string,
  options: WorkerOptions,
  close: () => Promise<void>,
): Promise<RunningWorker> {
  const worker = await Worker.create(options);
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
