/**
 * Brings a database to the state that sql/ describes: each file once, in the order of the numbers in their names over all
 * folders, all of them in one transaction. Deliberately forwards only.
 */
import { readdir, readFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { runner, type MigrationBuilder } from 'node-pg-migrate';
import pg from 'pg';
import { sqlState, toStartError } from './postgres-error.js';
import { StartError } from '../start-error.js';

/** Any number, but the same in every ROK: whoever holds it migrates, alone in the whole cluster. */
const migrationLock = 7_246_001;

export interface MigrateOptions {
  /** The folder with `NNNN_name.sql` and `<schema>/NNNN_name.sql`. */
  readonly folder: string;
  readonly log?: (line: string) => void;
}

/** Returns the names of the files that were run now. Throws a StartError that names the file and line. */
export async function migrate(adminUrl: string, options: MigrateOptions): Promise<readonly string[]> {
  await sqlFiles(options.folder);
  return withClusterLock(adminUrl, () => runAll(adminUrl, options));
}

/** Every .sql file in the order it is run. */
export async function sqlFiles(folder: string): Promise<readonly string[]> {
  const entries = await readdir(folder, { withFileTypes: true, recursive: true });
  const files = entries
    .filter((entry) => entry.isFile() && entry.name.endsWith('.sql'))
    .map((entry) => join(entry.parentPath, entry.name))
    .sort((a, b) => (basename(a) < basename(b) ? -1 : 1));
  const numbers = files.map((file) => /^(\d{4})_[a-z0-9_-]+\.sql$/.exec(basename(file))?.[1]);
  files.forEach((file, at) => {
    const number = numbers[at];
    if (number === undefined) throw failed(`\`${file}\` is not named like \`0001_name.sql\``, 'rename it');
    const first = numbers.indexOf(number);
    if (first !== at)
      throw failed(`\`${files[first] ?? ''}\` and \`${file}\` have the same number`, 'renumber one of them');
  });
  return files;
}

async function runAll(adminUrl: string, options: MigrateOptions): Promise<readonly string[]> {
  let running = { file: '', sql: '' };
  const log = options.log ?? (() => undefined);
  const load = async (file: string) => {
    const sql = await readFile(file, 'utf8');
    const up = (builder: MigrationBuilder): void => {
      running = { file, sql };
      builder.sql(sql);
    };
    return { id: file, filePaths: [file], actions: { up, down: false as const } };
  };
  try {
    const done = await runner({
      databaseUrl: { connectionString: adminUrl, application_name: 'rok-migrate', options: '-c statement_timeout=0' },
      dir: join(options.folder, '**/*.sql'),
      useGlob: true,
      migrationsTable: 'rok_migrations',
      migrationsSchema: 'public',
      direction: 'up',
      singleTransaction: true,
      // Ours is held over the whole cluster; the runner's own would only cover this database.
      noLock: true,
      // A loader of our own: it takes a file as it is, where the runner's would look for "up" and "down" in comments.
      migrationLoaderStrategies: [{ extensions: ['.sql'], loader: (files) => Promise.all(files.map(load)) }],
      logger: { debug: () => undefined, info: log, warn: log, error: () => undefined },
    });
    return done.map(({ name }) => name);
  } catch (error) {
    const place = running.file === '' ? '' : `\`${running.file}${lineOf(error, running.sql)}\`: `;
    throw failed(`${place}${reasonOf(error)}`, 'correct the file; nothing of this migration was kept', error);
  }
}

/**
 * Roles belong to the cluster, and several databases of one cluster may be migrated at once, but an advisory lock covers
 * one database only. So it is taken on `postgres`, or on the database itself where that one is closed to us.
 */
async function withClusterLock<T>(adminUrl: string, work: () => Promise<T>): Promise<T> {
  const client = await connectForLock(adminUrl).catch((error: unknown) => {
    throw toStartError(error, adminUrl, decodeURIComponent(new URL(adminUrl).username));
  });
  try {
    await client.query('SELECT pg_advisory_lock($1)', [migrationLock]);
    return await work();
  } finally {
    await client.end();
  }
}

async function connectForLock(adminUrl: string): Promise<pg.Client> {
  const shared = new URL(adminUrl);
  shared.pathname = '/postgres';
  try {
    const client = await connect(shared.href);
    // The database itself may be missing, which should be said before anything waits.
    await (await connect(adminUrl)).end();
    return client;
  } catch (error) {
    if (!['3D000', '42501', '28000'].includes(sqlState(error) ?? '')) throw error;
    return connect(adminUrl);
  }
}

async function connect(url: string): Promise<pg.Client> {
  const client = new pg.Client({
    connectionString: url,
    application_name: 'rok-migrate',
    connectionTimeoutMillis: 5_000,
  });
  // A connection that breaks fails the statement on it; the event would end the process.
  client.on('error', () => undefined);
  await client.connect();
  return client;
}

function lineOf(error: unknown, sql: string): string {
  const position = Number((error as { position?: unknown }).position);
  return Number.isInteger(position) && position > 0 ? `:${sql.slice(0, position).split('\n').length}` : '';
}

function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

function failed(message: string, hint: string, cause?: unknown): StartError {
  return new StartError({ code: 'migration_failed', message, hint, exitCode: 1, cause });
}
