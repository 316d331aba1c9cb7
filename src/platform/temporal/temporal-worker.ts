/**
 * The worker's half of Temporal: the native connection and the SDK's runtime, installed once per process. Deliberately
 * without workers: src/worker.ts makes those.
 */
import { makeTelemetryFilterString, NativeConnection, Runtime, type LogLevel as SdkLogLevel } from '@temporalio/worker';
import type { Logger } from '../logging.js';
import { connectTimeoutMs, temporalSettings, temporalUnreachable, type TemporalSettings } from './temporal.js';
import type { Address } from '../config/variables.js';

/** Throws a StartError with exit code 9 when there is no answer within 10 s. */
export async function connectTemporalNative(
  settings: TemporalSettings = temporalSettings(),
): Promise<NativeConnection> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      reject(new Error(`no answer within ${connectTimeoutMs} ms`));
    }, connectTimeoutMs);
  });
  const connecting = NativeConnection.connect(settings.connectionOptions);
  try {
    return await Promise.race([connecting, late]);
  } catch (error) {
    // One that comes after all would keep the process alive.
    connecting.then((connection) => connection.close()).catch(() => undefined);
    throw temporalUnreachable(settings, error);
  } finally {
    clearTimeout(timer);
  }
}

export interface RuntimeOptions {
  readonly logger: Logger;
  /** Where Prometheus may fetch the SDK's metrics; without it none are kept. */
  readonly metrics?: Address;
}

const levels: Readonly<Record<SdkLogLevel, 'trace' | 'debug' | 'info' | 'warn' | 'error'>> = {
  TRACE: 'trace',
  DEBUG: 'debug',
  INFO: 'info',
  WARN: 'warn',
  ERROR: 'error',
};

/** Once per process, before the first worker. Signals are left to whoever drains the workers. */
export function installRuntime({ logger, metrics }: RuntimeOptions): Runtime {
  const log = (level: SdkLogLevel, message: string, fields: object = {}): void => {
    logger[levels[level]](fields, message);
  };
  return Runtime.install({
    shutdownSignals: [],
    logger: {
      log,
      trace: (message, fields) => {
        log('TRACE', message, fields);
      },
      debug: (message, fields) => {
        log('DEBUG', message, fields);
      },
      info: (message, fields) => {
        log('INFO', message, fields);
      },
      warn: (message, fields) => {
        log('WARN', message, fields);
      },
      error: (message, fields) => {
        log('ERROR', message, fields);
      },
    },
    telemetryOptions: {
      logging: { forward: {}, filter: makeTelemetryFilterString({ core: 'WARN' }) },
      ...(metrics === undefined ? {} : { metrics: prometheus(metrics) }),
    },
  });
}

function prometheus({ host, port }: Address) {
  const bindAddress = `${host.includes(':') ? `[${host}]` : host}:${port}`;
  return {
    // No countersTotalSuffix: the SDK takes it and adds nothing.
    prometheus: { bindAddress, unitSuffix: true, useSecondsForDurations: true },
    globalTags: { app: 'rok' },
  };
}
