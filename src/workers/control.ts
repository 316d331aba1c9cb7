/** The control worker: runs workflows, with decide and observe as their local activities. Holds no secrets. */
import type { WorkerOptions } from '@temporalio/worker';
import { createDecideActivities } from '../activities/decide.js';
import { createObserveActivities } from '../activities/observe.js';
import { createControlActivities } from '../activities/control.js';
import { CONTROL_QUEUES } from '../domain/executions.js';
import { connectTemporal } from '../platform/temporal/temporal.js';
import { requireSearchAttributes } from '../platform/temporal/search-attributes.js';
import { connectTemporalNative } from '../platform/temporal/temporal-worker.js';
import { crasher, withCrashPoints } from './crash-points.js';
import { loadDecideDeps, storeInputs } from './decide-deps.js';
import { startRepairs } from './repairs.js';
import { openPool } from './open-pool.js';
import { runWorker } from './run-worker.js';
import { DRAIN_MS, moduleFile, type RunningWorker, type WorkerSetup } from './setup.js';

export async function startControl(setup: WorkerSetup): Promise<RunningWorker> {
  const { config, temporal, log, extensions, metrics } = setup;
  const deps = await loadDecideDeps(setup);
  const temporalClient = await connectTemporal(temporal);
  try {
    await requireSearchAttributes(temporalClient);
  } catch (error) {
    await temporalClient.close();
    throw error;
  }
  const decide = await openPool(setup, 'decide', 'control', 20);
  const observe = await openPool(setup, 'observe', 'control', 10);
  await storeInputs(decide, deps);
  const connection = await connectTemporalNative(temporal);
  const measured = metrics === undefined ? {} : { metrics };
  const crashAt = crasher(config.crashAt);
  const repairs = startRepairs(temporalClient.client, decide, log, setup.sweepMs);
  const decideHands = withCrashPoints(createDecideActivities({ database: decide, deps, log, ...measured }), crashAt);
  const observeHands = withCrashPoints(createObserveActivities({ database: observe, log, ...measured }), crashAt);
  return runWorker(
    'control',
    {
      connection,
      namespace: temporal.namespace,
      taskQueue: CONTROL_QUEUES[0],
      workflowsPath: extensions?.workflowsPath ?? moduleFile('../workflows/index.js', import.meta.url),
      bundlerOptions: {
        preloadModules: [moduleFile('../workflows/preload.js', import.meta.url)],
        webpackConfigHook: withConverter,
      },
      activities: {
        ...decideHands,
        ...observeHands,
        ...createControlActivities(decideHands, observeHands),
      },
      shutdownGraceTime: DRAIN_MS,
    },
    async () => {
      await repairs.stop();
      await Promise.all([decide.close(), observe.close(), connection.close(), temporalClient.close()]);
    },
  );
}

/** For workflows alone, which is where others' bytes are read: the SDK's bundle takes a converter under this name. */
const withConverter: NonNullable<NonNullable<WorkerOptions['bundlerOptions']>['webpackConfigHook']> = (config) => {
  const { alias } = config.resolve ?? {};
  const converter = moduleFile('../workflows/payload-converter.js', import.meta.url);
  return {
    ...config,
    resolve: {
      ...config.resolve,
      alias: {
        ...(Array.isArray(alias) ? Object.fromEntries(alias.map((one) => [one.name, one.alias])) : alias),
        __temporal_custom_payload_converter$: converter,
      },
    },
  };
};
