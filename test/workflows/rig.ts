/** All workers in this process on a stack of their own, and a client, as a test of whole runs needs them. */
import { Client, Connection, type WorkflowHandle } from '@temporalio/client';
import { parseConfig } from '../../src/platform/config.js';
import { createLogger } from '../../src/platform/logging.js';
import { temporalSettings } from '../../src/platform/temporal.js';
import type { WorkerName } from '../../src/platform/variables.js';
import type { Extensions } from '../../src/workers/setup.js';
import { startWorkers } from '../../src/workers/start.js';
import type { governedRun } from '../../src/workflows/governed-run.js';
import type { RunResult, RunStatus } from '../../src/workflows/messages.js';
import { statusQuery } from '../../src/workflows/messages.js';
import { createStack, type Stack } from '../stack/stack.js';

export type Rig = {
  readonly stack: Stack;
  readonly client: Client;
  start(id: string, spec: unknown): Promise<WorkflowHandle<typeof governedRun>>;
  /** Waits until the status satisfies `until`. */
  status(handle: WorkflowHandle, until: (status: RunStatus) => boolean): Promise<RunStatus>;
  close(): Promise<void>;
};

export type RigOptions = {
  readonly workers?: readonly WorkerName[];
  readonly env?: NodeJS.ProcessEnv;
  readonly extensions?: Extensions;
};

export async function createRig(options: RigOptions = {}): Promise<Rig> {
  const stack = await createStack();
  const urls = Object.entries(stack.urls).map(([login, url]) => [`ROK_DATABASE_URL_${login.toUpperCase()}`, url]);
  const parsed = parseConfig({ GOVERNANCE_PROFILE: 'STANDARD', ...Object.fromEntries(urls), ...options.env });
  if (!parsed.ok) throw parsed.error;
  const temporal = temporalSettings({ TEMPORAL_ADDRESS: stack.temporalAddress, TEMPORAL_NAMESPACE: stack.namespace });
  const workers = await startWorkers(options.workers ?? ['control', 'execute', 'audit'], {
    config: parsed.value,
    temporal,
    log: createLogger({ level: 'error' }),
    sweepMs: 1_000,
    ...(options.extensions === undefined ? {} : { extensions: options.extensions }),
  });
  const connection = await Connection.connect({ address: stack.temporalAddress });
  const client = new Client({ connection, namespace: stack.namespace });
  return {
    stack,
    client,
    start: (id, spec) =>
      client.workflow.start<typeof governedRun>('governedRun', {
        taskQueue: 'rok-control',
        workflowId: id,
        // What a caller sends is not always what the type says.
        args: [spec as Parameters<typeof governedRun>[0]],
      }),
    async status(handle, until) {
      for (;;) {
        const status = await handle.query(statusQuery);
        if (until(status)) return status;
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
    },
    async close() {
      await workers.stop();
      await connection.close();
      await stack.drop();
    },
  };
}

export type { RunResult };
