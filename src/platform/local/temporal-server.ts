/**
 * A Temporal of our own: the CLI's development server with its Web UI, on loopback, its runs in a file that outlives it.
 * Deliberately for development and tests: in production ROK is given a Temporal.
 */
import { mkdir, readFile, realpath, rm, writeFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { Connection } from '@temporalio/client';
import { searchAttributeTypes } from '../temporal/search-attributes.js';
import { StartError } from '../start-error.js';
import { freePorts } from './free-port.js';
import { argumentsOf, endProcess } from './process-identity.js';
import { startProcess, type ServerProcess } from './server-process.js';

export interface TemporalServerOptions {
  /** The CLI's file; findTemporalCli knows where it is. */
  readonly cli: string;
  readonly dbFile: string;
  readonly namespaces?: readonly string[];
  /** Name to type; ROK's own unless given. */
  readonly searchAttributes?: Readonly<Record<string, string>>;
  /** The server's dynamic configuration, `name=value`, beside our own: a test makes its limits small. */
  readonly settings?: readonly string[];
  readonly log?: (line: string) => void;
  /** Free ones, unless given. */
  readonly port?: number;
  readonly uiPort?: number;
}

export interface LocalTemporal {
  readonly address: string;
  readonly uiUrl: string;
  readonly pid: number;
  stop(): Promise<void>;
}

const host = '127.0.0.1';
const startPatienceMs = 60_000;
const tries = 4;

export async function startTemporal(options: TemporalServerOptions): Promise<LocalTemporal> {
  await mkdir(dirname(options.dbFile), { recursive: true });
  // The real path: what the server is started with, and so what it is recognised by.
  const dbFile = join(await realpath(dirname(options.dbFile)), basename(options.dbFile));
  const log = options.log ?? (() => undefined);
  if (await endLeftover(dbFile)) log('stopped the Temporal server that an earlier process left running');
  for (let attempt = 1; ; attempt += 1) {
    const ports = await freePorts(4);
    const [port = 0, uiPort = 0] = [options.port ?? ports[0], options.uiPort ?? ports[1]];
    const server = await launch(
      { ...options, dbFile, log },
      { port, uiPort, http: ports[2] ?? 0, metrics: ports[3] ?? 0 },
    );
    await writeFile(pidFileOf(dbFile), `${server.pid}\n`);
    const stop = async (): Promise<void> => {
      await server.stop('SIGINT', 10_000);
      await rm(pidFileOf(dbFile), { force: true });
    };
    const address = `${host}:${port}`;
    if (await untilHealthy(server, address, options.namespaces ?? [])) {
      return { address, uiUrl: `http://${host}:${uiPort}`, pid: server.pid, stop };
    }
    await stop();
    const said = server.lastLines().join('\n');
    if (attempt === tries || !/address already in use|can't set .*port/i.test(said)) throw startFailed(dbFile, said);
  }
}

interface Ports {
  readonly port: number;
  readonly uiPort: number;
  readonly http: number;
  readonly metrics: number;
}

async function launch(
  options: TemporalServerOptions & { readonly log: (line: string) => void },
  { port, uiPort, http, metrics }: Ports,
): Promise<ServerProcess> {
  const attributes = Object.entries(options.searchAttributes ?? searchAttributeTypes);
  const ours = ['history.transferProcessorMaxPollRPS=2000', 'history.timerProcessorMaxPollRPS=2000'];
  const dynamic = [...ours, ...(options.settings ?? [])];
  return startProcess({
    command: options.cli,
    args: [
      ...['server', 'start-dev', '--ip', host, '--port', `${port}`, '--ui-port', `${uiPort}`],
      ...['--http-port', `${http}`, '--metrics-port', `${metrics}`, '--db-filename', options.dbFile],
      ...['--ui-disable-news-fetch', '--log-level', 'error'],
      // Its one shard otherwise polls 20 times a second, which rounds every dispatch up to 50 ms.
      ...dynamic.flatMap((setting) => ['--dynamic-config-value', setting]),
      ...attributes.flatMap(([name, type]) => ['--search-attribute', `${name}=${type}`]),
      ...(options.namespaces ?? []).flatMap((namespace) => ['--namespace', namespace]),
    ],
    // It may read nothing of our environment, which holds keys; a home it needs, if only to look for a configuration.
    env: { HOME: dirname(options.dbFile) },
    log: options.log,
  });
}

async function untilHealthy(server: ServerProcess, address: string, namespaces: readonly string[]): Promise<boolean> {
  const deadline = Date.now() + startPatienceMs;
  const connection = Connection.lazy({ address });
  try {
    while (!server.hasExited() && Date.now() < deadline) {
      try {
        await connection.withDeadline(Date.now() + 2_000, () => allThere(connection, ['default', ...namespaces]));
        return !server.hasExited();
      } catch {
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
    }
    return false;
  } finally {
    await connection.close();
  }
}

async function allThere(connection: Connection, namespaces: readonly string[]): Promise<void> {
  // All of them are awaited: a retry that is left behind would meet a closed connection and end the process.
  const asked = await Promise.allSettled(
    namespaces.map((namespace) => connection.workflowService.describeNamespace({ namespace })),
  );
  const refused = asked.find((one) => one.status === 'rejected');
  if (refused !== undefined) throw refused.reason;
}

function pidFileOf(dbFile: string): string {
  return `${dbFile}.pid`;
}

/** A server that a killed process left behind would write the same file. */
async function endLeftover(dbFile: string): Promise<boolean> {
  const pid = Number.parseInt(await readFile(pidFileOf(dbFile), 'utf8').catch(() => ''), 10);
  if (!Number.isInteger(pid) || pid <= 0 || !(await argumentsOf(pid)).includes(dbFile)) return false;
  await endProcess(pid, 'SIGINT', 10_000);
  return true;
}

function startFailed(dbFile: string, said: string): StartError {
  const reason =
    said
      .split('\n')
      .filter((line) => line.trim() !== '')
      .at(-1) ?? 'it gave no answer';
  return new StartError({
    code: 'local_server_failed',
    message: `the Temporal development server on \`${dbFile}\` did not start (${reason.trim()})`,
    hint: 'end what uses that file or port, or move the file away to start without earlier runs',
    exitCode: 9,
  });
}
