/**
 * Temporal for clients: settings from TOML profiles and TEMPORAL_* by the SDK's own envconfig, and a connection whose
 * failure is explained in one sentence. The worker's native half is in temporal-worker.ts.
 */
import { Client, Connection } from '@temporalio/client';
import { loadClientConnectConfig, type ClientConnectConfig } from '@temporalio/envconfig';
import { StartError } from '../start-error.js';

export interface TemporalSettings {
  readonly address: string;
  readonly namespace: string;
  readonly connectionOptions: ClientConnectConfig['connectionOptions'];
}

export interface TemporalClient {
  readonly client: Client;
  readonly connection: Connection;
  readonly settings: TemporalSettings;
  close(): Promise<void>;
}

export const connectTimeoutMs = 10_000;

/** Reads the TOML file and certificates that the environment names. Throws a StartError when they are no good. */
export function temporalSettings(env: NodeJS.ProcessEnv = process.env): TemporalSettings {
  const given = Object.entries(env).filter((entry): entry is [string, string] => entry[1] !== undefined);
  try {
    const { connectionOptions, namespace } = loadClientConnectConfig({ overrideEnvVars: Object.fromEntries(given) });
    const address = connectionOptions.address ?? '127.0.0.1:7233';
    return { address, namespace: namespace ?? 'default', connectionOptions: { ...connectionOptions, address } };
  } catch (error) {
    throw new StartError({
      code: 'temporal_config_invalid',
      message: `the Temporal configuration cannot be used (${error instanceof Error ? error.message : String(error)})`,
      hint: 'correct the file that `TEMPORAL_CONFIG_FILE` names and the `TEMPORAL_` variables',
      exitCode: 1,
      cause: error,
    });
  }
}

/** Connects, and sees that the namespace is there. Throws a StartError with exit code 9 when it is not, within 10 s. */
export async function connectTemporal(settings: TemporalSettings = temporalSettings()): Promise<TemporalClient> {
  const connection = await Connection.connect({
    ...settings.connectionOptions,
    connectTimeout: connectTimeoutMs,
  }).catch((error: unknown) => {
    throw temporalUnreachable(settings, error);
  });
  try {
    await connection.withDeadline(Date.now() + connectTimeoutMs, () =>
      connection.workflowService.describeNamespace({ namespace: settings.namespace }),
    );
  } catch (error) {
    await connection.close();
    throw isNotFound(error) ? namespaceMissing(settings, error) : temporalUnreachable(settings, error);
  }
  const client = new Client({ connection, namespace: settings.namespace });
  return { client, connection, settings, close: () => connection.close() };
}

export function temporalUnreachable({ address }: TemporalSettings, cause: unknown): StartError {
  return new StartError({
    code: 'temporal_unreachable',
    message: `Temporal at \`${address}\` cannot be reached`,
    hint: 'start it, or set `TEMPORAL_ADDRESS` to where it runs; `npm start` brings one of its own',
    exitCode: 9,
    cause,
  });
}

function namespaceMissing({ address, namespace }: TemporalSettings, cause: unknown): StartError {
  return new StartError({
    code: 'temporal_namespace_missing',
    message: `Temporal at \`${address}\` has no namespace \`${namespace}\``,
    hint: `create it with \`temporal operator namespace create --namespace ${namespace}\`, or set \`TEMPORAL_NAMESPACE\``,
    exitCode: 9,
    cause,
  });
}

/** gRPC status 5. */
function isNotFound(error: unknown): boolean {
  return (error as { code?: unknown } | null)?.code === 5;
}
