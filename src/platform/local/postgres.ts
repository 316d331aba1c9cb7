/**
 * A PostgreSQL of our own, on loopback, with its data in a folder that outlives it. Deliberately for development and tests:
 * in production ROK is given a database.
 */
import pg from 'pg';
import { StartError } from '../start-error.js';
import { freePorts } from './free-port.js';
import { adminName, ensureCluster, passwordFor, postgresProgram, realDataDir } from './postgres-files.js';
import { endLeftoverPostgres } from './postgres-leftover.js';
import { postgresUser, requireEnterable, type SystemUser } from './postgres-user.js';
import { startProcess, type ServerProcess } from './server-process.js';

export interface PostgresOptions {
  readonly dataDir: string;
  readonly log?: (line: string) => void;
  /** A free one, unless given. */
  readonly port?: number;
  /** Server settings, such as `fsync: 'off'` for tests. */
  readonly settings?: Readonly<Record<string, string>>;
}

export interface LocalPostgres {
  readonly host: string;
  readonly port: number;
  readonly pid: number;
  /** A URL of the superuser; it holds the password. */
  adminUrl(database: string): string;
  stop(): Promise<void>;
}

const host = '127.0.0.1';
const startPatienceMs = 60_000;

export async function startPostgres(options: PostgresOptions): Promise<LocalPostgres> {
  const log = options.log ?? (() => undefined);
  const dataDir = await realDataDir(options.dataDir);
  const program = await postgresProgram();
  // Where root has no such user yet, making the cluster makes it.
  const userBefore = await postgresUser().catch(() => undefined);
  await requireEnterable(dataDir, userBefore);
  await requireEnterable(program, userBefore);
  const password = await passwordFor(dataDir);
  await ensureCluster(dataDir, password, log);
  if (await endLeftoverPostgres(dataDir)) log('stopped the PostgreSQL that an earlier process left running');
  const user = await postgresUser();
  const { server, port } = await startWithRetries({ ...options, dataDir, log }, program, user, password);
  return {
    host,
    port,
    pid: server.pid,
    adminUrl: (database) => urlOf(port, password, database),
    stop: () => server.stop('SIGINT', 20_000),
  };
}

type Prepared = Required<Pick<PostgresOptions, 'dataDir' | 'log'>> & PostgresOptions;

/** Again with another port when it was taken meanwhile, and again while a dead postmaster's id is not free yet. */
async function startWithRetries(options: Prepared, program: string, user: SystemUser | undefined, password: string) {
  const deadline = Date.now() + startPatienceMs;
  for (;;) {
    const port = options.port ?? (await freePorts(1))[0] ?? 0;
    const server = await launch(options, program, user, port);
    const answers = await untilItAnswers(server, urlOf(port, password, 'postgres'), deadline);
    if (answers) return { server, port };
    await server.stop('SIGINT', 5_000);
    const said = server.lastLines().join('\n');
    const mayPass = /lock file "postmaster.pid" already exists|pre-existing shared memory|could not bind/.test(said);
    if (!mayPass || Date.now() > deadline) throw startFailed(options.dataDir, said);
    await new Promise((resolve) => setTimeout(resolve, 250));
  }
}

async function launch(
  options: Prepared,
  program: string,
  user: SystemUser | undefined,
  port: number,
): Promise<ServerProcess> {
  const settings = {
    listen_addresses: host,
    unix_socket_directories: '',
    // For the audit worker (sql/repeatable/0512_shared_by_all.sql), as many as its pool has.
    reserved_connections: '10',
    ...options.settings,
  };
  return startProcess({
    command: program,
    args: [
      ...['-D', options.dataDir, '-p', `${port}`],
      ...Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`]),
    ],
    // It may read nothing of our environment, which holds keys.
    env: { LC_MESSAGES: 'C' },
    log: options.log,
    ...user,
  });
}

async function untilItAnswers(server: ServerProcess, url: string, deadline: number): Promise<boolean> {
  while (!server.hasExited() && Date.now() < deadline) {
    const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: 2_000 });
    client.on('error', () => undefined);
    try {
      await client.connect();
      await client.end();
      return !server.hasExited();
    } catch {
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }
  return false;
}

function urlOf(port: number, password: string, database: string): string {
  return `postgresql://${adminName}:${encodeURIComponent(password)}@${host}:${port}/${encodeURIComponent(database)}`;
}

function startFailed(dataDir: string, said: string): StartError {
  const reason =
    said
      .split('\n')
      .filter((line) => /FATAL|ERROR|PANIC/.test(line))
      .at(-1) ?? 'it gave no answer';
  return new StartError({
    code: 'local_server_failed',
    message: `the embedded PostgreSQL in \`${dataDir}\` did not start (${reason.trim()})`,
    hint: 'end what uses that folder, or move it away to start with an empty database',
    exitCode: 9,
  });
}
