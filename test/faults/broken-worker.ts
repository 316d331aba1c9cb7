/** A control worker with a bundle that fails every task of a governed run; otherwise as src/worker.ts starts it. */
import { fileURLToPath } from 'node:url';
import { loadConfig } from '../../src/platform/config/config.js';
import { createLogger } from '../../src/platform/logging.js';
import { installRuntime } from '../../src/platform/temporal/temporal-worker.js';
import { temporalSettings } from '../../src/platform/temporal/temporal.js';
import { startWorkers } from '../../src/workers/start.js';

const config = loadConfig();
const log = createLogger({ level: config.logLevel });
installRuntime({ logger: log });
await startWorkers(['control'], {
  config,
  temporal: temporalSettings(),
  log,
  sweepMs: 1_000,
  extensions: { workflowsPath: fileURLToPath(new URL('broken-workflows.ts', import.meta.url)) },
});
log.info('workers started');
