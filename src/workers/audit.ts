/**
 * The audit worker. Judging needs PostgreSQL and nothing else, so the standing judge runs from the first moment.
 * Temporal's part (the judge at each close, the schedule, signals, unclaimed executions) is connected when Temporal is
 * there, and again when it comes back.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { createAuditActivities } from '../activities/audit.js';
import { temporalViewOf } from '../activities/temporal-view.js';
import { beat } from '../audit/reconcile/beats.js';
import { enterDeployment } from '../audit/judge/deployment.js';
import { runStandingJudge } from '../audit/judge/standing-judge.js';
import { sweep, type SweepDeps } from '../audit/reconcile/reconciler.js';
import { assertReconcileSchedule } from '../platform/temporal/schedule.js';
import { connectTemporal } from '../platform/temporal/temporal.js';
import { connectTemporalNative } from '../platform/temporal/temporal-worker.js';
import { auditsKeysOf } from './assertion-keys.js';
import { crasher, crashingSigner, withCrashPoints } from './crash-points.js';
import { openPool } from './open-pool.js';
import { runWorker } from './run-worker.js';
import { DRAIN_MS, moduleFile, type RunningWorker, type WorkerSetup } from './setup.js';
import { enterSigner, headsKeeper, signerOf } from './signing.js';

const SWEEP_MS = 30_000;
const REJOIN_MS = 2_000;

export async function startAudit(setup: WorkerSetup): Promise<RunningWorker> {
  const { config, log, metrics } = setup;
  const crashAt = crasher(config.crashAt);
  const signer = crashingSigner(await signerOf(setup), crashAt);
  const assertionKeys = await auditsKeysOf(setup);
  const database = await openPool(setup, 'audit', 'audit', 10);
  try {
    await enterSigner(database, signer);
    await enterDeployment(database, config.profile);
  } catch (error) {
    await database.close();
    throw error;
  }
  const keepHeads = headsKeeper(database, setup);
  const deps: SweepDeps = {
    database,
    signer,
    assertionKeys,
    log,
    ...(metrics === undefined ? {} : { measure: metrics }),
  };
  const stopping = new AbortController();
  const judging = runStandingJudge(
    {
      // Heads are written whatever became of the sweep: what was signed before it failed has grown a chain.
      sweep: () => sweep(deps).finally(keepHeads),
      beat: async () => {
        await beat(database, 'standing-judge');
        metrics?.swept(new Date());
      },
      intervalMs: setup.sweepMs ?? SWEEP_MS,
      log,
    },
    stopping.signal,
  );
  const joining = joinTemporal(setup, deps, stopping.signal);
  return {
    name: 'audit',
    // The judge never ends by itself.
    failed: new Promise<never>(() => undefined),
    async stop() {
      stopping.abort();
      await Promise.all([judging, joining]);
      await database.close();
    },
  };
}

async function joinTemporal(setup: WorkerSetup, deps: SweepDeps, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    try {
      await serve(setup, deps, signal);
    } catch (error) {
      setup.log.warn({ err: error }, 'the audit worker is without Temporal; it judges all the same, and tries again');
    }
    await idle(REJOIN_MS, signal);
  }
}

/** Until told to stop, or until the worker fails. */
async function serve(setup: WorkerSetup, deps: SweepDeps, signal: AbortSignal): Promise<void> {
  const { temporal, log } = setup;
  const { client, close } = await connectTemporal(temporal).then((joined) => ({
    client: joined.client,
    close: () => joined.close(),
  }));
  try {
    const connection = await connectTemporalNative(temporal);
    const worker = await runWorker(
      'audit',
      {
        connection,
        namespace: temporal.namespace,
        taskQueue: 'rok-audit',
        workflowsPath: moduleFile('../workflows/reconcile.js', import.meta.url),
        activities: withCrashPoints(
          createAuditActivities({ ...deps, temporal: temporalViewOf(client) }),
          crasher(setup.config.crashAt),
        ),
        shutdownGraceTime: DRAIN_MS,
      },
      () => connection.close(),
    );
    try {
      await Promise.race([worker.failed, keepSchedule(setup, client, signal)]);
    } finally {
      await worker.stop();
      log.info('the audit worker left Temporal');
    }
  } finally {
    await close();
  }
}

async function keepSchedule(
  setup: WorkerSetup,
  client: Parameters<typeof assertReconcileSchedule>[0],
  signal: AbortSignal,
): Promise<void> {
  const everyMs = setup.sweepMs ?? SWEEP_MS;
  while (!signal.aborted) {
    try {
      const { paused } = await assertReconcileSchedule(client, { everyMs });
      setup.metrics?.schedulePaused(paused);
      if (paused) setup.log.error('the schedule rok-reconcile is paused: nobody nudges, nobody looks for strays');
    } catch (error) {
      setup.log.warn({ err: error }, 'the schedule rok-reconcile could not be asserted; tried again');
    }
    // Asserted every other sweep: once a minute.
    await idle(2 * everyMs, signal);
  }
}

async function idle(ms: number, signal: AbortSignal): Promise<void> {
  await sleep(ms, undefined, { signal }).catch(() => undefined);
}
