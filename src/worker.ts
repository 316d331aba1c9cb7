/**
 * The workers' front door: `node dist/worker.js [--workers control,execute,audit] [--sweep-ms 30000]`. Starts them, drains
 * them on SIGINT and SIGTERM, and says in one sentence why it could not.
 */
import { parseArgs } from 'node:util';
import { loadConfig } from './platform/config/config.js';
import { createLogger } from './platform/logging.js';
import { StartError } from './platform/start-error.js';
import { temporalSettings } from './platform/temporal/temporal.js';
import { installRuntime } from './platform/temporal/temporal-worker.js';
import { workerNames, type WorkerName } from './platform/config/variables.js';
import { startWorkers } from './workers/start.js';

function argumentsOf(): { readonly workers?: readonly WorkerName[]; readonly sweepMs?: number } {
  const { values } = parseArgs({ options: { workers: { type: 'string' }, 'sweep-ms': { type: 'string' } } });
  const names = values.workers?.split(',').map((name) => name.trim());
  const wrong = names?.find((name) => !(workerNames as readonly string[]).includes(name));
  if (wrong !== undefined)
    throw new StartError({
      code: 'config_invalid',
      message: `\`${wrong}\` is not a worker`,
      hint: `use some of ${workerNames.join(', ')}`,
      exitCode: 1,
    });
  const sweepMs = Number(values['sweep-ms'] ?? '30000');
  if (!Number.isInteger(sweepMs) || sweepMs < 100)
    throw new StartError({
      code: 'config_invalid',
      message: '`--sweep-ms` must be a whole number of at least 100',
      hint: 'leave it out for 30 s',
      exitCode: 1,
    });
  return { sweepMs, ...(names === undefined ? {} : { workers: names as readonly WorkerName[] }) };
}

async function main(): Promise<void> {
  const { workers, sweepMs } = argumentsOf();
  const config = loadConfig();
  const log = createLogger({ level: config.logLevel });
  // Two endpoints, two scrape jobs: ROK's own and, one port up, the SDK's.
  const own = config.metricsAddress;
  installRuntime({
    logger: log,
    ...(own === undefined || own.port === 0 ? {} : { metrics: { host: own.host, port: own.port + 1 } }),
  });
  const running = await startWorkers(workers ?? config.workers, {
    config,
    temporal: temporalSettings(),
    log,
    ...(sweepMs === undefined ? {} : { sweepMs }),
  });
  log.info({ workers: workers ?? config.workers, profile: config.profile }, 'workers started');
  const told = new Promise<void>((resolve) => {
    for (const signal of ['SIGINT', 'SIGTERM'] as const)
      process.once(signal, () => {
        resolve();
      });
  });
  await Promise.race([told, running.failed]);
  log.info('draining');
  await running.stop();
}

main().then(
  () => process.exit(0),
  (error: unknown) => {
    const known = error instanceof StartError;
    process.stderr.write(
      known
        ? `${error.message}\n${error.hint}\n`
        : `${error instanceof Error ? (error.stack ?? error.message) : 'unknown error'}\n`,
    );
    process.exit(known ? error.exitCode : 1);
  },
);
