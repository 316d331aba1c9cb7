/** ROK's workers with one more workflow type, and a worker of one's own for the activities. Ends on SIGTERM. */
import { fileURLToPath } from 'node:url';
import { Worker } from '@temporalio/worker';
import { loadConfig } from '../../src/platform/config/config.js';
import { createLogger } from '../../src/platform/logging.js';
import { temporalSettings } from '../../src/platform/temporal/temporal.js';
import { connectTemporalNative, installRuntime } from '../../src/platform/temporal/temporal-worker.js';
import { startWorkers } from '../../src/workers/start.js';
import * as activities from './activities.js';

const config = loadConfig();
const temporal = temporalSettings();
const log = createLogger({ level: config.logLevel });
installRuntime({ logger: log });
const workflowsPath = fileURLToPath(import.meta.resolve('./workflow.ts'));
const rok = await startWorkers(['control', 'execute', 'audit'], {
  config,
  temporal,
  log,
  extensions: { workflowsPath },
});
const connection = await connectTemporalNative(temporal);
const own = await Worker.create({ connection, namespace: temporal.namespace, taskQueue: 'invoices', activities });
process.once('SIGTERM', () => {
  own.shutdown();
});
console.log('ready');
await own.run();
await rok.stop();
await connection.close();
process.exit(0);
