/**
 * The servers of `rok dev`: PostgreSQL, migrated and with fresh passwords, Temporal with its Web UI, development keys; all
 * in one folder. Deliberately without the folder's lock and without workers: whoever starts it sees to those.
 */
import { randomBytes } from 'node:crypto';
import { chmod, mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { openDatabase } from '../postgres/database.js';
import { ensureLoginPasswords, loginUrl } from '../postgres/login-passwords.js';
import { logins, type Login } from '../postgres/login.js';
import { migrate } from '../postgres/migrate.js';
import { sqlFolder } from '../postgres/sql-folder.js';
import { writeDevFile } from './dev-file.js';
import { ensureDevKeys, type DevKeys } from './dev-keys.js';
import { startPostgres, type LocalPostgres } from './postgres.js';
import { findTemporalCli } from './temporal-cli.js';
import { startTemporal, type LocalTemporal } from './temporal-server.js';

export interface DevStackOptions {
  /** Where all of its data lies; the caller holds its lock. */
  readonly folder: string;
  readonly env: NodeJS.ProcessEnv;
  readonly log: (line: string) => void;
}

export interface DevStack {
  /** The environment that leads workers and commands here. */
  readonly env: NodeJS.ProcessEnv;
  readonly keys: DevKeys;
  readonly postgres: LocalPostgres;
  readonly temporal: LocalTemporal;
  /** Files that the migration ran just now. */
  readonly migrated: readonly string[];
  /** Temporal, then PostgreSQL. Stop the workers first. */
  readonly stop: () => Promise<void>;
}

const checkout = fileURLToPath(new URL('../../../.rok', import.meta.url));
const database = 'rok';

export async function startDevStack({ folder, env, log }: DevStackOptions): Promise<DevStack> {
  await mkdir(folder, { recursive: true });
  // PostgreSQL may run as another user, who must be able to enter; what is secret in it is closed by itself.
  await chmod(folder, 0o755);
  const undo: (() => Promise<void>)[] = [];
  const stop = async (): Promise<void> => {
    for (const step of undo.splice(0).reverse()) await step();
  };
  try {
    const keys = await ensureDevKeys(join(folder, 'keys'));
    const cli = await findTemporalCli({
      given: env['ROK_TEMPORAL_CLI'] || undefined,
      path: env['PATH'] ?? '',
      folder: checkout,
    });
    const [postgres, temporal] = await both(
      () => startPostgres({ dataDir: join(folder, 'postgres'), log }),
      () => startTemporal({ cli, dbFile: join(folder, 'temporal.db'), log }),
      (server) => undo.push(() => server.stop()),
    );
    const { adminUrl, migrated } = await prepareDatabase(postgres, log);
    const variables = {
      ...(await variablesOf(adminUrl, temporal, keys)),
      ...(env['GOVERNANCE_PROFILE'] === undefined ? {} : { GOVERNANCE_PROFILE: env['GOVERNANCE_PROFILE'] }),
    };
    undo.push(await writeDevFile(folder, variables));
    return { env: { ...env, ...variables }, keys, postgres, temporal, migrated, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** Side by side; both have ended their start before an error is thrown, so that `started` saw all there is to stop. */
async function both(
  first: () => Promise<LocalPostgres>,
  second: () => Promise<LocalTemporal>,
  started: (server: { stop(): Promise<void> }) => void,
): Promise<readonly [LocalPostgres, LocalTemporal]> {
  const [postgres, temporal] = await Promise.allSettled([first(), second()]);
  if (postgres.status === 'fulfilled') started(postgres.value);
  if (temporal.status === 'fulfilled') started(temporal.value);
  if (postgres.status === 'rejected') throw postgres.reason;
  if (temporal.status === 'rejected') throw temporal.reason;
  return [postgres.value, temporal.value];
}

async function prepareDatabase(postgres: LocalPostgres, log: (line: string) => void) {
  const admin = await openDatabase(postgres.adminUrl('postgres'), { applicationName: 'rok-migrate', max: 1 });
  try {
    const [there] = await admin.query('SELECT 1 AS there FROM pg_database WHERE datname = $1', [database]);
    if (there === undefined) await admin.query(`CREATE DATABASE ${database}`);
  } finally {
    await admin.close();
  }
  const adminUrl = postgres.adminUrl(database);
  const migrated = await migrate(adminUrl, { folder: sqlFolder, log });
  return { adminUrl, migrated };
}

/** New passwords at each start: what an earlier one left lying somewhere opens nothing. */
async function variablesOf(
  adminUrl: string,
  temporal: LocalTemporal,
  keys: DevKeys,
): Promise<Readonly<Record<string, string>>> {
  const passwords = Object.fromEntries(
    logins.map((login) => [login, randomBytes(24).toString('base64url')]),
  ) as Readonly<Record<Login, string>>;
  await ensureLoginPasswords(adminUrl, passwords);
  return {
    ...Object.fromEntries(
      logins.map((login) => [`ROK_DATABASE_URL_${login.toUpperCase()}`, loginUrl(adminUrl, login, passwords[login])]),
    ),
    TEMPORAL_ADDRESS: temporal.address,
    TEMPORAL_NAMESPACE: 'default',
    ROK_SIGNING_KEY: keys.signingKey,
    ROK_ASSERTION_KEY: keys.assertionKey,
    ROK_JWKS: keys.assertionKeySet,
  };
}
