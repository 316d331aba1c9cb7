/** The execute worker: the only process with provider keys, and the only one that calls anything. */
import { join } from 'node:path';
import { createExecuteActivities } from '../activities/execute.js';
import { builtInProviders, builtInSkills, createRegistry } from '../execute/registry.js';
import { databaseUrlOf } from '../platform/config.js';
import { openDatabase } from '../platform/database.js';
import { agentsFolder, loadAgents } from '../platform/files.js';
import { connectTemporalNative } from '../platform/temporal-worker.js';
import { runWorker } from './run-worker.js';
import { crasher, DRAIN_MS, type RunningWorker, type WorkerSetup } from './setup.js';

export async function startExecute({ config, temporal, log, extensions }: WorkerSetup): Promise<RunningWorker> {
  const agents = await loadAgents(agentsFolder(config));
  const database = await openDatabase(databaseUrlOf(config, 'execute'), {
    login: 'execute',
    applicationName: 'rok-execute',
    max: 20,
  });
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
  return runWorker(
    'execute',
    {
      connection,
      namespace: temporal.namespace,
      taskQueue: 'rok-execute',
      activities: createExecuteActivities({ database, registry, agents, log, crashAt: crasher(config.crashAt) }),
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
