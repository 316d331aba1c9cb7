/** Starts any subset of the workers in this process, each with pools, logins and secrets of its own. */
import { PROFILE_RULES } from '../domain/profiles.js';
import type { WorkerName } from '../platform/config/variables.js';
import { StartError } from '../platform/start-error.js';
import { createMetrics } from '../observe/metrics/metrics.js';
import { serveMetrics } from '../platform/metrics-server.js';
import { startAudit } from './audit.js';
import { startControl } from './control.js';
import { startExecute } from './execute.js';
import type { RunningWorker, WorkerSetup } from './setup.js';

export type RunningWorkers = { readonly failed: Promise<never>; stop(): Promise<void> };

/** @throws StartError for whatever a profile refuses, and for what cannot be reached */
export async function startWorkers(names: readonly WorkerName[], given: WorkerSetup): Promise<RunningWorkers> {
  if (names.includes('http'))
    throw new StartError({
      code: 'config_invalid',
      message: 'there is no worker `http` yet',
      hint: 'start some of control, execute, audit',
      exitCode: 1,
    });
  refuseMixing(names, given);
  refuseCrashPoint(given);
  const metrics = createMetrics();
  const setup = { ...given, metrics };
  const endpoint =
    given.config.metricsAddress === undefined ? null : await serveMetrics(given.config.metricsAddress, metrics);
  const started: RunningWorker[] = [];
  const stop = async (): Promise<void> => {
    await Promise.all(started.map((worker) => worker.stop()));
    await endpoint?.close();
  };
  try {
    // The audit first: it judges even where nothing else comes up.
    if (names.includes('audit')) started.push(await startAudit(setup));
    if (names.includes('control')) started.push(await startControl(setup));
    if (names.includes('execute')) started.push(await startExecute(setup));
  } catch (error) {
    await stop();
    throw error;
  }
  return { failed: Promise.race(started.map((worker) => worker.failed)), stop };
}

/** It is for tests: a process that ends itself where it is told to. */
function refuseCrashPoint({ config }: WorkerSetup): void {
  if (config.crashAt === undefined || !PROFILE_RULES[config.profile].refuseDevelopment) return;
  throw new StartError({
    code: 'config_invalid',
    message: 'profile STRICT refuses `ROK_CRASH_AT`, which ends a worker on purpose',
    hint: 'unset it',
    exitCode: 1,
  });
}

function refuseMixing(names: readonly WorkerName[], { config, log }: WorkerSetup): void {
  if (!names.includes('audit') || !names.includes('execute')) return;
  if (!PROFILE_RULES[config.profile].refuseDevelopment) {
    log.warn('audit and execute share a process: fine for development, refused in STRICT');
    return;
  }
  throw new StartError({
    code: 'config_invalid',
    message: 'profile STRICT refuses to run `audit` in one process with `execute`',
    hint: 'start them as separate processes with `--workers audit` and `--workers control,execute`',
    exitCode: 1,
  });
}
