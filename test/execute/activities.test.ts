import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Client, Connection } from '@temporalio/client';
import { NativeConnection, Worker } from '@temporalio/worker';
import { randomUUID } from 'node:crypto';
import { fileURLToPath } from 'node:url';
import { createExecuteActivities } from '../../src/activities/execute.js';
import { uuidOf, type Digest } from '../../src/domain/ids.js';
import { actionDigest, modelSettingsDigest, type Intent } from '../../src/domain/intent.js';
import type { ModelProvider } from '../../src/execute/models/model-gateway.js';
import type { beginOnce, closeOutOnce, prepareOnce, recordOnce, stepOnce } from './one-activity.js';
import { createRig, inFlight, refundDesk, type Rig } from './rig.js';

let rig: Rig;
let native: NativeConnection;
let connection: Connection;
let client: Client;
let worker: Worker;
let running: Promise<void>;
let entered: () => void = () => undefined;

/** Never answers; what ends it is the signal. */
const silent: ModelProvider = {
  id: 'silent',
  call: (_, { signal }) => {
    entered();
    return new Promise((_resolve, reject) => {
      signal.addEventListener('abort', () => {
        reject(signal.reason as Error);
      });
    });
  },
};
const agent = refundDesk({ name: 'quiet', model: 'silent/one', skills: [] });

beforeAll(async () => {
  rig = await createRig();
  const { temporalAddress: address, namespace } = rig.stack;
  [native, connection] = await Promise.all([NativeConnection.connect({ address }), Connection.connect({ address })]);
  client = new Client({ connection, namespace });
  worker = await Worker.create({
    connection: native,
    namespace,
    taskQueue: 'execute-test',
    workflowsPath: fileURLToPath(new URL('./one-activity.ts', import.meta.url)),
    activities: createExecuteActivities(rig.deps({ providers: [silent], agents: [agent] })),
  });
  running = worker.run();
});
afterAll(async () => {
  worker.shutdown();
  await running;
  await Promise.all([native.close(), connection.close()]);
  await rig.close();
});

const start = { taskQueue: 'execute-test', workflowTaskTimeout: '10s' } as const;

describe('the activities of the executing power, on Temporal', () => {
  it('a cancelled run lets go of a call in flight, and its fate is a row', async () => {
    const run = await rig.openRun();
    const prepared = { run, agent: agent.name, agentDigest: agent.digest, input: { order: 'A-1' } };
    const { contextDigest } = await client.workflow.execute<typeof prepareOnce>('prepareOnce', {
      ...start,
      workflowId: `prepare-${run}`,
      args: [prepared],
    });
    const intent: Intent = {
      step: 1,
      attempt: 1,
      kind: 'model.call',
      target: agent.model,
      argumentsDigest: modelSettingsDigest(agent.digest),
      contextDigest,
      askedOutputTokens: 9,
    };
    await rig.allow(run, intent);
    const called = new Promise<void>((resolve) => {
      entered = resolve;
    });
    const step = await client.workflow.start<typeof stepOnce>('stepOnce', {
      ...start,
      workflowId: `step-${run}`,
      args: [
        {
          run,
          tenant: 'acme',
          agent: agent.name,
          agentDigest: agent.digest,
          intent,
          actionDigest: actionDigest(intent),
          grant: { notAfter: '2030-01-01T00:00:00Z' as never },
          context: { base: contextDigest, added: [] },
        },
      ],
    });
    await called;
    await step.cancel();
    const { result, resultDigest } = await step.result();
    expect(result).toEqual({ status: 'unknown', cause: 'aborted' });
    expect(
      await rig.stack.admin.query('SELECT status, cause, digest FROM execute.results WHERE run_id = $1', [uuidOf(run)]),
    ).toEqual([{ status: 'unknown', cause: 'aborted', digest: resultDigest }]);
  });

  it('an agent file other than the one the run was opened with is refused for good, with its code', async () => {
    const run = await rig.openRun();
    const input = { run, agent: agent.name, agentDigest: 'a'.repeat(64) as Digest, input: 'go' };
    const handle = await client.workflow.start<typeof prepareOnce>('prepareOnce', {
      ...start,
      workflowId: `other-${run}`,
      args: [input],
    });
    await expect(handle.result()).rejects.toMatchObject({
      cause: {
        cause: {
          type: 'agent_unknown',
          nonRetryable: true,
          message: 'agent `quiet` is configured differently on this worker',
        },
      },
    });
  });
});

describe('a workflow that is not the history of a run', () => {
  it('begins, records and closes out nothing for it', async () => {
    const run = await rig.openRun();
    const intent: Intent = {
      step: 1,
      attempt: 1,
      kind: 'skill.call',
      target: 'invoices.send@1',
      argumentsDigest: 'a'.repeat(64) as Digest,
      contextDigest: 'b'.repeat(64) as Digest,
      access: 'write',
    };
    await rig.allow(run, intent);
    const succeeded = { status: 'succeeded', output: { sent: true } } as const;
    const closing = {
      run,
      tenant: 'acme',
      agent: agent.name,
      outcome: 'failed',
      decision: null,
      lastStep: 1,
      detail: '',
    } as const;
    const tried = [
      client.workflow.execute<typeof beginOnce>('beginOnce', {
        ...start,
        workflowId: randomUUID(),
        args: [{ run, intent, arguments: {}, nonce: randomUUID() }],
      }),
      client.workflow.execute<typeof recordOnce>('recordOnce', {
        ...start,
        workflowId: randomUUID(),
        args: [{ run, step: 1, attempt: 1, ended: succeeded }],
      }),
      client.workflow.execute<typeof closeOutOnce>('closeOutOnce', {
        ...start,
        workflowId: randomUUID(),
        args: [closing],
      }),
    ];
    for (const one of tried)
      await expect(one).rejects.toMatchObject({ cause: { cause: { type: 'not_this_history' } } });
    const [written] = await rig.stack.admin.query(
      `SELECT (SELECT count(*)::int FROM execute.attempts WHERE run_id = $1) AS attempts,
        (SELECT count(*)::int FROM execute.results WHERE run_id = $1) AS results,
        (SELECT count(*)::int FROM execute.incident_occurrences WHERE run_id = $1) AS incidents`,
      [uuidOf(run)],
    );
    expect(written).toEqual({ attempts: 0, results: 0, incidents: 0 });
  });
});

it('a call in flight beats every second, until it is told to stop', async () => {
  const [stopped, other] = await Promise.all([callInFlight(), callInFlight()]);
  await beaten(stopped.flight, 2);
  stopped.flight.stop();
  expect((await stopped.step).result).toEqual({ status: 'unknown', cause: 'aborted' });
  const beats = stopped.flight.beats;
  // By the beats of another call: from one to the next is as long as a further beat of this one would have taken.
  await beaten(other.flight, other.flight.beats + 2);
  expect(stopped.flight.beats).toBe(beats);
  other.flight.stop();
  expect((await other.step).result).toEqual({ status: 'unknown', cause: 'aborted' });
});

const beaten = async (flight: { readonly beats: number }, times: number): Promise<void> => {
  while (flight.beats < times) await new Promise((resolve) => setTimeout(resolve, 20));
};

/** A model that does not answer is being asked. */
async function callInFlight() {
  const flight = inFlight();
  const activities = createExecuteActivities({
    ...rig.deps({ providers: [silent], agents: [agent] }),
    inFlight: () => flight,
  });
  const run = await rig.openRun();
  const input = { run, agent: agent.name, agentDigest: agent.digest, input: 'go' };
  const prepared = await activities['execute.prepare'](input);
  expect(await activities['execute.prepare'](input)).toEqual(prepared);
  const intent: Intent = {
    step: 1,
    attempt: 1,
    kind: 'model.call',
    target: agent.model,
    argumentsDigest: modelSettingsDigest(agent.digest),
    contextDigest: prepared.contextDigest,
    askedOutputTokens: 9,
  };
  await rig.allow(run, intent);
  const step = activities['execute.step']({
    run,
    tenant: 'acme',
    agent: agent.name,
    agentDigest: agent.digest,
    intent,
    actionDigest: actionDigest(intent),
    grant: { notAfter: '2030-01-01T00:00:00Z' as never },
    context: { base: prepared.contextDigest, added: [] },
  });
  return { flight, step };
}
