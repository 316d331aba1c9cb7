/** What others do to the schedule, to `reconcile` and to Temporal delays no verdict: the standing judge needs none of them. */
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Client, Connection, type ScheduleDescription } from '@temporalio/client';
import { loadConfig } from '../../src/platform/config/config.js';
import { createLogger } from '../../src/platform/logging.js';
import { RECONCILE_SCHEDULE } from '../../src/platform/temporal/schedule.js';
import { temporalSettings } from '../../src/platform/temporal/temporal.js';
import { createMetrics } from '../../src/observe/metrics/metrics.js';
import { startAudit } from '../../src/workers/audit.js';
import type { RunningWorker } from '../../src/workers/setup.js';
import { createOwnStack, type OwnStack } from '../stack/stack.js';
import { aRun, TRACE_ACK } from './facts.js';
import { plant } from './plant.js';

const SWEEP_MS = 1_000;
/** One may have begun before there was anything to judge. */
const SWEEPS = 2;
/** For a schedule to be asserted, for Temporal to be joined again. */
const PATIENCE_MS = 45_000;
const CALL_MS = 3_000;
let swept = 0;
const measured = createMetrics();
/** As the worker has them, with its sweeps counted. */
const metrics: typeof measured = {
  ...measured,
  swept(at) {
    swept += 1;
    measured.swept(at);
  },
};

let stack: OwnStack;
let worker: RunningWorker;
beforeAll(async () => {
  stack = await createOwnStack({ temporal: true });
  const env = {
    ROK_DATABASE_URL_AUDIT: stack.urls.audit,
    TEMPORAL_ADDRESS: stack.temporalAddress,
    TEMPORAL_NAMESPACE: stack.namespace,
    GOVERNANCE_PROFILE: 'STANDARD',
  };
  worker = await startAudit({
    config: loadConfig(env),
    temporal: temporalSettings(env),
    log: createLogger({ level: 'silent' }),
    metrics,
    sweepMs: SWEEP_MS,
  });
}, 60_000);
afterAll(async () => {
  await worker.stop();
  await stack.drop();
}, 60_000);

/** By a connection of its own that gives up: one that outlives its server would go on trying. */
async function byTemporal<T>(work: (client: Client) => Promise<T>): Promise<T> {
  const connection = await Connection.connect({ address: stack.temporalAddress, connectTimeout: CALL_MS });
  try {
    const client = new Client({ connection, namespace: stack.namespace });
    return await connection.withDeadline(Date.now() + CALL_MS, () => work(client));
  } finally {
    await connection.close();
  }
}

const schedule = (client: Client) => client.schedule.getHandle(RECONCILE_SCHEDULE);

/** @throws when it did not come to be in time */
async function until(what: string, condition: () => Promise<boolean>): Promise<void> {
  for (const end = Date.now() + PATIENCE_MS; !(await condition().catch(() => false));) {
    if (Date.now() > end) throw new Error(`in ${PATIENCE_MS} ms it was never so that ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}
const untilScheduled = (what: string, condition: (there: ScheduleDescription) => boolean): Promise<void> =>
  until(what, async () => condition(await byTemporal((client) => schedule(client).describe())));

/** A run that nobody finalized in time is ruled STALE by the next sweep that could see it: by the judge's own rhythm. */
async function expectJudgedStale(): Promise<void> {
  const run = aRun({ finalizeDueMs: -1_000, phase: 'EXECUTING', outcome: null, acks: [TRACE_ACK], evaluation: null });
  await plant(stack.admin, [run]);
  const before = swept;
  const verdict = () => stack.admin.query('SELECT status FROM audit.v_verdicts WHERE run_id = $1', [run.run]);
  await until('two sweeps ended', () => Promise.resolve(swept >= before + SWEEPS));
  expect(await verdict()).toEqual([{ status: 'STALE' }]);
}

describe('a run gets its verdict in time', () => {
  it('while the schedule is paused, which the alert is told', async () => {
    await untilScheduled('the worker made the schedule', () => true);
    await byTemporal((client) => schedule(client).pause());
    await expectJudgedStale();
    await until('it is said', async () => /^rok_reconcile_schedule_paused 1$/m.test(await metrics.text()));
    // Nobody but who paused it resumes it.
    expect((await byTemporal((client) => schedule(client).describe())).state.paused).toBe(true);
  }, 180_000);

  it('when the schedule was deleted, which is made again', async () => {
    await byTemporal((client) => schedule(client).delete());
    await expectJudgedStale();
    await untilScheduled('it is there again, and ran', (there) => there.info.numActionsTaken > 0);
  }, 180_000);

  it('while a `reconcile` never ends, and every later one is skipped for it', async () => {
    // On a queue that nobody polls. The worker asserts its own again, but what runs goes on running.
    const isStuck = (there: ScheduleDescription): boolean =>
      there.info.runningActions.some((one) => one.workflow.workflowId.startsWith('never-ends'));
    await until('one runs that never ends', () =>
      byTemporal(async (client) => {
        await schedule(client).update(({ action, ...rest }) => ({
          ...rest,
          action: { ...action, workflowId: 'never-ends', taskQueue: 'nobody' },
        }));
        await schedule(client).trigger();
        return isStuck(await schedule(client).describe());
      }),
    );
    const skipped = async () =>
      (await byTemporal((client) => schedule(client).describe())).info.numActionsSkippedOverlap;
    const before = await skipped();
    await expectJudgedStale();
    await untilScheduled('more were skipped', ({ info }) => info.numActionsSkippedOverlap > before + 1);
    await untilScheduled('its queue is right again', ({ action }) => action.taskQueue === 'rok-audit');
    await expectJudgedStale();
    expect(isStuck(await byTemporal((client) => schedule(client).describe()))).toBe(true);
  }, 180_000);

  it('while Temporal is down, and when its file was lost: then the schedule is made again, and says when it last succeeded', async () => {
    await stack.temporal?.stop();
    await expectJudgedStale();
    for (const suffix of ['', '-wal', '-shm']) await rm(join(stack.folder, `temporal.db${suffix}`), { force: true });
    await stack.restartTemporal();
    await expectJudgedStale();
    await untilScheduled('it is there again', (there) => there.info.numActionsTaken > 0);
    const last = async () =>
      Number(/^rok_standing_judge_last_success_timestamp_seconds (\S+)$/m.exec(await metrics.text())?.[1]);
    const beatAt = async () => {
      const [row] = await stack.admin.query<{ at: number }>(
        `SELECT extract(epoch FROM at)::float8 AS at FROM audit.beats WHERE name = 'standing-judge'`,
      );
      return Number(row?.at);
    };
    // Both move on with the sweeps.
    const [said, kept] = [await last(), await beatAt()];
    await until('both are of a later sweep', async () => (await last()) > said && (await beatAt()) > kept);
  }, 180_000);
});
