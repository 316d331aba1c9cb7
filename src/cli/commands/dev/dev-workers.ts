/**
 * The workers of `rok dev`, in a process of their own: when it dies, servers and terminal stay, and dev-session.ts
 * starts it again. Like src/worker.ts, except that it loads the project's skills and reports a failed start in its own
 * way.
 */
import { loadConfig } from '../../../platform/config/config.js';
import { createLogger } from '../../../platform/logging.js';
import { StartError } from '../../../platform/start-error.js';
import { temporalSettings } from '../../../platform/temporal/temporal.js';
import { installRuntime } from '../../../platform/temporal/temporal-worker.js';
import { startWorkers } from '../../../workers/start.js';
import { READY, refusalLine } from './dev-workers-lines.js';
import { loadSkills } from './load-skills.js';

async function main(): Promise<void> {
  const config = loadConfig();
  const log = createLogger({ level: config.logLevel });
  installRuntime({ logger: log });
  const skills = await loadSkills('skills');
  const running = await startWorkers(['control', 'execute', 'audit'], {
    config,
    temporal: temporalSettings(),
    log,
    ...(skills.length === 0 ? {} : { extensions: { skills } }),
  });
  process.stdout.write(`${READY}\n`);
  const told = new Promise<void>((resolve) => {
    for (const signal of ['SIGINT', 'SIGTERM'] as const)
      process.once(signal, () => {
        resolve();
      });
  });
  await Promise.race([told, running.failed]);
  await running.stop();
}

main().then(
  () => process.exit(0),
  (error: unknown) => {
    if (error instanceof StartError) process.stdout.write(`${refusalLine(error)}\n`);
    else process.stderr.write(`${error instanceof Error ? (error.stack ?? error.message) : 'unknown error'}\n`);
    process.exit(1);
  },
);
