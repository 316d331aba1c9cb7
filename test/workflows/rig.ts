/** All workers in this process on a stack of their own, and a client, as a test of whole runs needs them. */
import { cp, mkdtemp, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Worker } from '@temporalio/worker';
import { Client, Connection, type WorkflowHandle } from '@temporalio/client';
import { parseConfig } from '../../src/platform/config/config.js';
import { createLogger } from '../../src/platform/logging.js';
import { temporalSettings } from '../../src/platform/temporal/temporal.js';
import type { WorkerName } from '../../src/platform/config/variables.js';
import type { Extensions } from '../../src/workers/setup.js';
import { startWorkers } from '../../src/workers/start.js';
import type { governedRun } from '../../src/workflows/governed-run.js';
import type { RunStatus } from '../../src/workflows/messages/messages.js';
import { statusQuery } from '../../src/workflows/messages/messages.js';
import { createStack, type Stack } from '../stack/stack.js';

export type Rig = {
  readonly stack: Stack;
  readonly client: Client;
  start(id: string, spec: unknown): Promise<WorkflowHandle<typeof governedRun>>;
  /** Waits until the status satisfies `until`. */
  status(handle: WorkflowHandle, until: (status: RunStatus) => boolean): Promise<RunStatus>;
  /** Every governed run of this rig again from its history; how many. @throws DeterminismViolationError */
  replayAll(): Promise<number>;
  /** Other workers instead of these: every open run is made again from its history. */
  restart(): Promise<void>;
  close(): Promise<void>;
};

export type RigOptions = {
  readonly workers?: readonly WorkerName[];
  readonly env?: NodeJS.ProcessEnv;
  readonly extensions?: Extensions;
};

export async function createRig(options: RigOptions = {}): Promise<Rig> {
  const stack = await createStack();
  const urls = Object.entries(stack.urls).map(
    ([login, url]) => [`ROK_DATABASE_URL_${login.toUpperCase()}`, url] as const,
  );
  const env: NodeJS.ProcessEnv = { GOVERNANCE_PROFILE: 'STANDARD', ...Object.fromEntries(urls), ...options.env };
  const parsed = parseConfig(env);
  if (!parsed.ok) throw parsed.error;
  const temporal = temporalSettings({ TEMPORAL_ADDRESS: stack.temporalAddress, TEMPORAL_NAMESPACE: stack.namespace });
  const config = parsed.value;
  const begin = () =>
    startWorkers(options.workers ?? ['control', 'execute', 'audit'], {
      config,
      temporal,
      log: createLogger({ level: 'error' }),
      sweepMs: 1_000,
      ...(options.extensions === undefined ? {} : { extensions: options.extensions }),
    });
  let workers = await begin();
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
    async replayAll() {
      const workflowsPath = fileURLToPath(new URL('../../src/workflows/index.ts', import.meta.url));
      const histories = client.workflow.list({ query: `WorkflowType = 'governedRun'` }).intoHistories();
      let replayed = 0;
      for await (const { error } of Worker.runReplayHistories({ workflowsPath }, histories)) {
        if (error !== undefined) throw error;
        replayed += 1;
      }
      return replayed;
    },
    async restart() {
      await workers.stop();
      workers = await begin();
    },
    async close() {
      await workers.stop();
      await connection.close();
      await stack.drop();
    },
  };
}

/** The shipped agents and one more, in a folder of their own. Its model is free and replays the one answer. */
export async function agentsWith(agent: { readonly name: string; readonly script: object }): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'rok-agents-'));
  await cp(fileURLToPath(new URL('../../agents', import.meta.url)), folder, { recursive: true });
  await writeFile(join(folder, 'scripts', `${agent.name}.jsonl`), `${JSON.stringify(agent.script)}\n`);
  await writeFile(
    join(folder, `${agent.name}.yaml`),
    `name: ${agent.name}\nmodel: scripted/${agent.name}\ninstructions: wait\nskills: []\n`,
  );
  return folder;
}
