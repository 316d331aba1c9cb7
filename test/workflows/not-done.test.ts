/** Two who say that something was done or allowed, and it was not: a poller on the executors' queue, and the deciders' own login. */
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { NativeConnection, Worker } from '@temporalio/worker';
import { fileURLToPath } from 'node:url';
import { join } from 'node:path';
import { createExecuteActivities } from '../../src/activities/execute.js';
import { openRedeems } from '../../src/execute/calls/redeems.js';
import { builtInProviders, builtInSkills, createRegistry } from '../../src/execute/registry.js';
import type { OpenDatabase } from '../../src/platform/postgres/database.js';
import { loadAgents } from '../../src/platform/config/files.js';
import { createLogger } from '../../src/platform/logging.js';
import { uuidOf, type Digest, type RunId } from '../../src/domain/ids.js';
import type { StepResult } from '../../src/domain/protocol/execute.js';
import { killUpdate } from '../../src/workflows/messages/messages.js';
import { openAs } from '../audit/judged.js';
import { createRig, type Rig } from './rig.js';

const CONTENT = 'f'.repeat(64) as Digest;
const SUCCEEDED: StepResult = {
  result: {
    status: 'succeeded',
    contentDigest: CONTENT,
    usage: { inputTokens: 1, outputTokens: 1, cachedInputTokens: 0, reasoningTokens: 0, reported: true },
  },
  resultDigest: null,
  model: {
    finishReason: 'stop',
    truncated: false,
    toolCalls: [],
    entry: { role: 'assistant', content: CONTENT },
  },
};

const findingsOf = async (rig: Rig, run: RunId): Promise<readonly string[]> => {
  const [row] = await rig.stack.admin.query<{ findings: readonly { code: string; subject: string; detail: string }[] }>(
    'SELECT findings FROM audit.v_verdicts WHERE run_id = $1',
    [uuidOf(run)],
  );
  return (row?.findings ?? []).map(({ code, subject, detail }) => `${code} ${subject}: ${detail}`);
};

/** Everything that an execute worker does beside the step itself. */
async function realHands(database: OpenDatabase): Promise<ReturnType<typeof createExecuteActivities>> {
  const folder = fileURLToPath(new URL('../../agents', import.meta.url));
  const agents = await loadAgents(folder);
  const registry = createRegistry({
    skills: builtInSkills(database),
    providers: builtInProviders({ scriptsFolder: join(folder, 'scripts'), openAiCompatible: [] }),
  });
  const log = createLogger({ level: 'error' });
  return createExecuteActivities({ database, redeem: openRedeems(database), registry, agents, log });
}

describe('a poller on `rok-execute` that answers nonsense', () => {
  it('is not believed: what became of the call is unknown, and the run ends as one whose steps did not succeed', async () => {
    const rig = await createRig({ workers: ['control', 'audit'] });
    const database = await openAs(rig.stack, 'execute');
    const connection = await NativeConnection.connect({ address: rig.stack.temporalAddress });
    const nonsense: readonly unknown[] = [
      null,
      'done',
      [],
      {},
      { result: null, resultDigest: null },
      { result: { status: 'succeeded' }, resultDigest: null },
      { ...SUCCEEDED, resultDigest: 7 },
      { ...SUCCEEDED, model: undefined },
      { ...SUCCEEDED, model: { ...SUCCEEDED.model, toolCalls: 'none' } },
      { result: { status: 'failed', code: 'toString' }, resultDigest: null },
    ];
    let answered = 0;
    const worker = await Worker.create({
      connection,
      namespace: rig.stack.namespace,
      taskQueue: 'rok-execute',
      activities: {
        ...(await realHands(database)),
        'execute.step': () => Promise.resolve(nonsense[answered++ % nonsense.length]),
      },
    });
    const running = worker.run();
    try {
      const runs = await Promise.all(
        [1, 2, 3].map((at) =>
          rig.start(`rok/acme/nonsense-${at}`, {
            tenant: 'acme',
            agent: 'refund-desk',
            input: 'Please refund A-1001, 12.00.',
            actor: { local: 'alice' },
          }),
        ),
      );
      for (const handle of runs)
        expect(await handle.result()).toMatchObject({
          outcome: 'failed',
          detail: 'step 1 did not succeed in 4 attempts',
          verdict: expect.stringMatching(/^(COMPLETE|INCOMPLETE)$/) as unknown,
        });
      expect(answered).toBe(12);
    } finally {
      worker.shutdown();
      await running;
      await connection.close();
      await database.close();
      await rig.close();
    }
  }, 120_000);
});

describe('a poller on `rok-execute` that answers without an attempt', () => {
  it.each(['', 'e'.repeat(64)])(
    'is found, with the result digest `%s`',
    async (claimed) => {
      const rig = await createRig({ workers: ['control', 'audit'] });
      const database = await openAs(rig.stack, 'execute');
      const connection = await NativeConnection.connect({ address: rig.stack.temporalAddress });
      const worker = await Worker.create({
        connection,
        namespace: rig.stack.namespace,
        taskQueue: 'rok-execute',
        activities: {
          ...(await realHands(database)),
          'execute.step': () => Promise.resolve({ ...SUCCEEDED, resultDigest: claimed === '' ? null : claimed }),
        },
      });
      const running = worker.run();
      try {
        const handle = await rig.start(`rok/acme/fake-${claimed.length}`, {
          tenant: 'acme',
          agent: 'refund-desk',
          input: 'Please refund A-1001, 12.00.',
          actor: { local: 'alice' },
        });
        const result = await handle.result();
        expect(result).toMatchObject({ outcome: 'succeeded', attempts: 0, verdict: 'INCOMPLETE' });
        expect(await findingsOf(rig, result.run)).toEqual([
          'HOLLOW event 1.1.executed: there is no row that it tells of',
          'MISMATCH answer: it is not what the last model call that succeeded gave',
        ]);
      } finally {
        worker.shutdown();
        await running;
        await Promise.all([connection.close(), database.close()]);
        await rig.close();
      }
    },
    120_000,
  );
});

describe("the deciders' login", () => {
  let rig: Rig;
  beforeAll(async () => {
    rig = await createRig();
  }, 120_000);
  afterAll(() => rig.close());

  it('approves a hold by hand: found, whatever became of the run', async () => {
    const handle = await rig.start('rok/acme/by-hand', {
      tenant: 'acme',
      agent: 'refund-desk',
      input: 'Please handle the refunds of A-1001, A-1002 and A-1003.',
      actor: { local: 'alice' },
    });
    const { run, holds } = await rig.status(handle, (status) => status.holds.length > 0);
    const [hold] = holds;
    if (run === null || hold === undefined) throw new Error('the run is not held');
    const decide = await openAs(rig.stack, 'decide');
    await decide.query(`UPDATE decide.holds SET resolution = 'approved' WHERE run_id = $1`, [uuidOf(run)]);
    await decide.close();
    await handle.executeUpdate(killUpdate, { args: [{ actor: { local: 'olga', roles: ['operator'] } }] });
    expect(await handle.result()).toMatchObject({ outcome: 'killed', verdict: 'INCOMPLETE' });
    expect(await findingsOf(rig, run)).toEqual([`FORGED_APPROVAL hold ${hold.hold}: approved by 0 of 1`]);
  }, 240_000);
});
