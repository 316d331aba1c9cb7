/** What every fault needs: real servers, a real HTTP model with a log, worker processes to harm, and a client. */
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import {
  Client,
  Connection,
  type WorkflowHandleWithFirstExecutionRunId,
  type WorkflowStartOptions,
} from '@temporalio/client';
import { ensureDevKeys, type DevKeys } from '../../src/platform/local/dev-keys.js';
import { runIdOf, type RunId } from '../../src/domain/ids.js';
import type { RunSpec } from '../../src/domain/run-spec.js';
import type { WorkerName } from '../../src/platform/config/variables.js';
import type { governedRun } from '../../src/workflows/governed-run.js';
import { startOpenAiServer, type OpenAiAnswer, type OpenAiLogLine } from '../execute/openai-server.js';
import { temporaryFolder } from '../stack/servers.js';
import { createStack, type Stack } from '../stack/stack.js';
import { writeDeployment } from './deployment.js';
import { until } from './until.js';
import { startWorkerProcess, type WorkerProcess } from './worker-process.js';

export type RunHandle = WorkflowHandleWithFirstExecutionRunId<typeof governedRun>;

/** What Temporal lets anyone set who starts a workflow. */
export type StartOptions = Pick<WorkflowStartOptions, 'workflowTaskTimeout' | 'workflowExecutionTimeout'>;

export type FaultRig<S extends Stack = Stack> = {
  readonly stack: S;
  readonly client: Client;
  /** One pair signs all receipts, whichever audit worker is alive. */
  readonly keys: DevKeys;
  /** Every request that reached the model's server. */
  requests(): readonly OpenAiLogLine[];
  /** Started and ready. Killed at the end, if nothing killed it before. */
  worker(workers: readonly WorkerName[], env?: NodeJS.ProcessEnv, script?: string): Promise<WorkerProcess>;
  /** Deadlines of a tenant's runs, as an administrator sets them. */
  terms(tenant: string, runTime: string, grace: string): Promise<void>;
  start(workflowId: string, spec?: Partial<RunSpec>, options?: StartOptions): Promise<RunHandle>;
  /** The run that a workflow opened, as soon as it did. */
  runOf(workflowId: string): Promise<RunId>;
  /** Until the model's server holds `count` requests. */
  asked(count: number): Promise<void>;
  close(): Promise<void>;
};

export async function createFaultRig<S extends Stack = Stack>(
  answers: readonly OpenAiAnswer[],
  makeStack: () => Promise<S> = createStack as () => Promise<S>,
): Promise<FaultRig<S>> {
  const folder = await temporaryFolder('faults');
  const stack = await makeStack();
  const server = await startOpenAiServer({ answers, logFile: join(folder, 'model.jsonl') });
  const connection = await Connection.connect({ address: stack.temporalAddress });
  const client = new Client({ connection, namespace: stack.namespace });
  const keys = await ensureDevKeys(join(folder, 'keys'));
  const base = {
    GOVERNANCE_PROFILE: 'STANDARD',
    ROK_LOG_LEVEL: 'info',
    TEMPORAL_ADDRESS: stack.temporalAddress,
    TEMPORAL_NAMESPACE: stack.namespace,
    OPENAI_BASE_URL: server.baseUrl,
    ROK_SIGNING_KEY: keys.signingKey,
    ...(await writeDeployment(folder)),
    ...Object.fromEntries(
      Object.entries(stack.urls).map(([login, url]) => [`ROK_DATABASE_URL_${login.toUpperCase()}`, url]),
    ),
  };
  const workers: WorkerProcess[] = [];
  const requests = () => server.log().filter((line) => line.event === 'request');
  return {
    stack,
    client,
    keys,
    requests,
    async worker(names, env = {}, script) {
      const worker = await startWorkerProcess(names, { ...base, ...env }, script);
      workers.push(worker);
      return worker;
    },
    async terms(tenant, runTime, grace) {
      await stack.admin.query(`INSERT INTO audit.terms VALUES ($1, '*', $2, $3, '7 days')`, [tenant, runTime, grace]);
    },
    start: (workflowId, spec = {}, options = {}) =>
      client.workflow.start<typeof governedRun>('governedRun', {
        taskQueue: 'rok-control',
        workflowId,
        workflowIdReusePolicy: 'REJECT_DUPLICATE',
        ...options,
        args: [
          { tenant: 'acme', agent: 'clerk', input: `Orders for ${workflowId}?`, actor: { local: 'alice' }, ...spec },
        ],
      }),
    runOf: (workflowId) =>
      until(`the run of ${workflowId}`, async () => {
        const [row] = await stack.admin.query<{ run_id: string }>(
          'SELECT run_id FROM decide.runs WHERE workflow_id = $1',
          [workflowId],
        );
        return row === undefined ? null : runIdOf(row.run_id);
      }),
    async asked(count) {
      await until(`${count} requests at the model's server`, () => (requests().length >= count ? true : null));
    },
    async close() {
      await Promise.all(workers.map((worker) => worker.kill()));
      await server.close();
      await connection.close();
      await stack.drop();
      await rm(folder, { recursive: true, force: true });
    },
  };
}
