/** What others do to the schedule, to `reconcile` and to Temporal delays no verdict: the standing judge needs none of them. */
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { Client, Connection } from '@temporalio/client';
import { loadConfig } from '../../src/platform/config.js';
import { createLogger } from '../../src/platform/logging.js';
import { RECONCILE_SCHEDULE } from '../../src/platform/schedule.js';
import { temporalSettings } from '../../src/platform/temporal.js';
import { createMetrics } from '../../src/observe/metrics/metrics.js';
import { startAudit } from '../../src/workers/audit.js';
import type { RunningWorker } from '../../src/workers/setup.js';
import { createOwnStack, type OwnStack } from '../stack/stack.js';
import { aRun, TRACE_ACK } from './facts.js';
import { plant } from './plant.js';

const SWEEP_MS = 500;
/** Two sweeps, on a machine that does other things too. */
const BOUND_MS = 2 * SWEEP_MS + 4_000;
const metrics = createMetrics();

let stack: OwnStack;
let connection: Connection;
let client: Client;
let worker: RunningWorker;
beforeAll(async () => {
  stack = await createOwnStack({ temporal: true });
  await connect();
  const env = {
    ROK_DATABASE_URL_AUDIT: stack.urls.audit,
    TEMPORAL_ADDRESS: stack.temporalAddress,
    TEMPORAL_NAMESPACE: stack.namespace,
    GOVERNANCE_PROFILE: 'STANDARD',
  };
  worker = await startAudit({
    config: loadConfig(env),
    temporal: temporalSettings(env),
    log: createLogger({ level: 'warn' }),
    metrics,
    sweepMs: SWEEP_MS,
  });
}, 60_000);
afterAll(async () => {
  await worker.stop();
  await connection.close();
  await stack.drop();
}, 60_000);

async function connect(): Promise<void> {
  connection = await Connection.connect({ address: stack.temporalAddress });
  client = new Client({ connection, namespace: stack.namespace });
}

const until = async (condition: () => Promise<boolean>): Promise<void> => {
  while (!(await condition().catch(() => false))) await new Promise((resolve) => setTimeout(resolve, 50));
};

/** A run that nobody finalized in time. @returns milliseconds until it was ruled STALE */
async function judgedStale(): Promise<number> {
  const run = aRun({ finalizeDueMs: -1_000, phase: 'EXECUTING', outcome: null, acks: [TRACE_ACK], evaluation: null });
  await plant(stack.admin, [run]);
  const began = performance.now();
  const verdict = () => stack.admin.query('SELECT status FROM audit.v_verdicts WHERE run_id = $1', [run.run]);
  await until(async () => (await verdict()).length > 0);
  expect(await verdict()).toEqual([{ status: 'STALE' }]);
  return performance.now() - began;
}

it('with a `reconcile` that never ends', async () => {
  const schedule = client.schedule.getHandle(RECONCILE_SCHEDULE);
  await until(async () => (await schedule.describe()).scheduleId === RECONCILE_SCHEDULE);
  // Somebody's workflow in its place, on a queue that nobody polls: every scheduled one is skipped.
  await schedule.pause();
  await until(async () => (await schedule.describe()).info.runningActions.length === 0);
  await schedule.update(({ state, ...rest }) => ({ ...rest, state, action: { ...rest.action, taskQueue: 'nobody' } }));
  await schedule.trigger();
  await until(async () => (await schedule.describe()).info.runningActions.length === 1);
  expect(await judgedStale()).toBeLessThan(BOUND_MS);
  expect((await schedule.describe()).info.runningActions.length).toBe(1);
}, 60_000);

it('with the schedule paused, and deleted', async () => {
  const schedule = client.schedule.getHandle(RECONCILE_SCHEDULE);
  expect((await schedule.describe()).state.paused).toBe(true);
  expect(await judgedStale()).toBeLessThan(BOUND_MS);
  await schedule.delete();
  expect(await judgedStale()).toBeLessThan(BOUND_MS);
});

it('with Temporal down, and with its file lost; it says when it last succeeded', async () => {
  await stack.temporal?.stop();
  await connection.close();
  expect(await judgedStale()).toBeLessThan(BOUND_MS);
  for (const suffix of ['', '-wal', '-shm']) await rm(join(stack.folder, `temporal.db${suffix}`), { force: true });
  await stack.restartTemporal();
  await connect();
  expect(await judgedStale()).toBeLessThan(BOUND_MS);
  const text = await metrics.text();
  const last = /^rok_standing_judge_last_success_timestamp_seconds (\S+)$/m.exec(text)?.[1];
  expect(Date.now() / 1000 - Number(last)).toBeLessThan(BOUND_MS / 1000);
  const [row] = await stack.admin.query(
    `SELECT at > clock_timestamp() - interval '10 seconds' AS fresh FROM audit.beats WHERE name = 'standing-judge'`,
  );
  expect(row).toEqual({ fresh: true });
}, 60_000);
