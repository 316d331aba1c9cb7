/** The execute worker: the only process with provider keys, and the only one that calls anything. */
import { join } from 'node:path';
import { createExecuteActivities } from '../activities/execute.js';
import { openRedeems } from '../execute/calls/redeems.js';
import { storePromptOverheads } from '../execute/content/first-context.js';
import { builtInProviders, builtInSkills, createRegistry } from '../execute/registry.js';
import { agentsFolder, loadAgents } from '../platform/config/files.js';
import { connectTemporalNative } from '../platform/temporal/temporal-worker.js';
import { crasher, withCrashPoints } from './crash-points.js';
import { openPool } from './open-pool.js';
import { runWorker } from './run-worker.js';
import { DRAIN_MS, type RunningWorker, type WorkerSetup } from './setup.js';

export async function startExecute(setup: WorkerSetup): Promise<RunningWorker> {
  const { config, temporal, log, extensions, metrics } = setup;
  const crashAt = crasher(config.crashAt);
  const agents = await loadAgents(agentsFolder(config));
  const database = await openPool(setup, 'execute', 'execute', 20);
  const connection = await connectTemporalNative(temporal);
  const registry = createRegistry({
    skills: [...builtInSkills(database), ...(extensions?.skills ?? [])],
    providers: [
      ...builtInProviders({
        scriptsFolder: join(agentsFolder(config), 'scripts'),
        openAiCompatible: Object.entries(config.providers).map(([name, settings]) => ({ name, ...settings })),
      }),
      ...(extensions?.providers ?? []),
    ],
  });
  await storePromptOverheads(database, registry, agents.values());
  return runWorker(
    'execute',
    {
      connection,
      namespace: temporal.namespace,
      taskQueue: 'rok-execute',
      activities: withCrashPoints(
        createExecuteActivities({
          database,
          redeem: openRedeems(database),
          registry,
          agents,
          log,
          ...(crashAt === undefined ? {} : { crashAt }),
          ...(metrics === undefined ? {} : { measure: metrics }),
        }),
        crashAt,
      ),
      shutdownGraceTime: DRAIN_MS,
      // Heartbeats carry the news of a cancel: throttled, a call in flight would hear of its kill seconds late.
      maxHeartbeatThrottleInterval: '1s',
      defaultHeartbeatThrottleInterval: '1s',
    },
    async () => {
      await Promise.all([database.close(), connection.close()]);
    },
  );
}
