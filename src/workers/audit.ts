/**
 * The audit worker. Judging needs PostgreSQL and nothing else, so the standing judge runs from the first moment; Temporal
 * (the close's judge, the schedule, nudges and strays) is joined when it is there and joined again when it comes back.
 */
import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { exportJWK, generateKeyPair } from 'jose';
import { createAuditActivities } from '../activities/audit.js';
import { temporalViewOf } from '../activities/temporal-view.js';
import { beat } from '../audit/beats.js';
import { createSigner, type Signer } from '../audit/signer.js';
import { runStandingJudge } from '../audit/standing-judge.js';
import { sweep, type SweepDeps } from '../audit/sweep.js';
import { PROFILE_RULES } from '../domain/profiles.js';
import type { Config } from '../platform/config.js';
import { loadKeySet, loadPrivateKey } from '../platform/files.js';
import { assertReconcileSchedule } from '../platform/schedule.js';
import { StartError } from '../platform/start-error.js';
import { connectTemporal } from '../platform/temporal.js';
import { connectTemporalNative } from '../platform/temporal-worker.js';
import { openPool } from './open-pool.js';
import { runWorker } from './run-worker.js';
import { DRAIN_MS, moduleFile, type RunningWorker, type WorkerSetup } from './setup.js';

const SWEEP_MS = 30_000;
const SCHEDULE_MS = 60_000;
const REJOIN_MS = 2_000;

export async function startAudit(setup: WorkerSetup): Promise<RunningWorker> {
  const { config, log, metrics } = setup;
  const signer = await signerOf(setup);
  const database = await openPool(setup, 'audit', 'audit', 10);
  const assertionKeys = config.jwks === undefined ? null : await loadKeySet(config.jwks);
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
      sweep: () => sweep(deps),
      beat: () => beat(database, 'standing-judge'),
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
        activities: createAuditActivities({ ...deps, temporal: temporalViewOf(client) }),
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
  while (!signal.aborted) {
    try {
      const { paused } = await assertReconcileSchedule(client, { everyMs: setup.sweepMs ?? SWEEP_MS });
      if (paused) setup.log.error('the schedule rok-reconcile is paused: nobody nudges, nobody looks for strays');
    } catch (error) {
      setup.log.warn({ err: error }, 'the schedule rok-reconcile could not be asserted; tried again');
    }
    await idle(SCHEDULE_MS, signal);
  }
}

async function idle(ms: number, signal: AbortSignal): Promise<void> {
  await sleep(ms, undefined, { signal }).catch(() => undefined);
}

/** A key made here dies with the process: its receipts verify only against the key that the log names. */
async function signerOf({
  config,
  log,
}: {
  readonly config: Config;
  readonly log: WorkerSetup['log'];
}): Promise<Signer> {
  if (config.signingKey !== undefined) return createSigner(await loadPrivateKey(config.signingKey));
  if (PROFILE_RULES[config.profile].refuseDevelopment)
    throw new StartError({
      code: 'config_invalid',
      message: 'profile STRICT needs `ROK_SIGNING_KEY`',
      hint: 'name the file of a private Ed25519 JWK with a `kid`',
      exitCode: 1,
    });
  const { privateKey } = await generateKeyPair('EdDSA', { crv: 'Ed25519', extractable: true });
  const kid = `development-${randomUUID()}`;
  log.warn({ kid }, 'no ROK_SIGNING_KEY: receipts are signed with a development key of this process');
  return createSigner({ ...(await exportJWK(privateKey)), kid });
}
