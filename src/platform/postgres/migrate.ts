/**
 * Brings a database to the state that sql/ describes, in one transaction: migrations that never ran on it, then every
 * repeatable file if anything at all is new. Deliberately forwards only, and only a database whose record fits the files.
 */
import pg from 'pg';
import { dropRepeatable, revokeRights, setSchemas } from './clear-repeatable.js';
import { isEmpty, isMismatch, planMigration, type MigrationPlan, type RecordedFile } from './migration-plan.js';
import { placeOf, sqlState, toStartError } from './postgres-error.js';
import { readSqlFiles, schemasOf, type SqlFile, type SqlFiles } from './sql-files.js';
import { StartError } from '../start-error.js';

/** Any number, but the same in every ROK: whoever holds it migrates, alone in the whole cluster. */
const migrationLock = 7_246_001;

export interface MigrateOptions {
  /** The folder with `migrations/` and `repeatable/`. */
  readonly folder: string;
  /** Told of each file that is run. */
  readonly log?: (line: string) => void;
}

/** Returns the paths of the files that were run now. Throws a StartError, and then nothing has changed. */
export async function migrate(adminUrl: string, options: MigrateOptions): Promise<readonly string[]> {
  const files = await readSqlFiles(options.folder);
  return withClusterLock(adminUrl, () =>
    withClient(adminUrl, async (client) => {
      const plan = await planFor(client, adminUrl, files);
      return isEmpty(plan) ? [] : runAll(client, files, plan, options);
    }),
  );
}

/** What `migrate` would do now. Changes nothing and waits for nobody. */
export async function planMigrate(adminUrl: string, { folder }: MigrateOptions): Promise<MigrationPlan> {
  const files = await readSqlFiles(folder);
  return withClient(adminUrl, (client) => planFor(client, adminUrl, files));
}

async function planFor(client: pg.Client, adminUrl: string, files: SqlFiles): Promise<MigrationPlan> {
  const recorded = await readRecord(client, files);
  const plan = typeof recorded === 'string' ? noRecord(recorded) : planMigration(files, recorded);
  if (!isMismatch(plan)) return plan;
  throw new StartError({
    code: 'migration_refused',
    message: `the database \`${placeOf(adminUrl)}\` is not of these files: ${plan.what}`,
    hint: plan.hint,
    exitCode: 1,
  });
}

const noRecord = (schema: string) => ({
  what: `it has a schema \`${schema}\` and no record of the files that made it`,
  hint: 'make a new database, since nothing leads on from before the first release; for `npm start`, remove `.rok/postgres`',
});

/** The record; or a schema of ours that was made without one. */
async function readRecord(client: pg.Client, files: SqlFiles): Promise<readonly RecordedFile[] | string> {
  const { rows } = await client.query<{ known: boolean; made: string | null }>(
    `SELECT to_regclass('public.rok_files') IS NOT NULL AS known,
      (SELECT min(nspname)::text FROM pg_namespace WHERE nspname = ANY ($1)) AS made`,
    [schemasOf(files.repeatables.map(({ path }) => path))],
  );
  if (rows[0]?.known !== true) return rows[0]?.made ?? [];
  return (await client.query<RecordedFile>('SELECT path, checksum FROM public.rok_files')).rows;
}

/** In this order, because a table is only altered while no view stands on it, and files give rights on tables of all others. */
async function runAll(
  client: pg.Client,
  { repeatables }: SqlFiles,
  { migrations, repeatables: changes }: MigrationPlan,
  { folder, log = () => undefined }: MigrateOptions,
): Promise<readonly string[]> {
  const run = async (file: SqlFile): Promise<void> => {
    log(file.path);
    await runFile(client, folder, file);
  };
  const schemas = schemasOf([...repeatables, ...changes].map(({ path }) => path));
  try {
    await client.query('BEGIN');
    await client.query(setSchemas, [schemas.join(',')]);
    await client.query(dropRepeatable);
    for (const file of migrations) await run(file);
    await client.query(revokeRights);
    for (const file of repeatables) await run(file);
    await record(client, migrations, repeatables);
    await client.query('COMMIT');
  } catch (error) {
    if (error instanceof StartError) throw error;
    throw failed(reasonOf(error), error);
  }
  return [...migrations, ...repeatables].map(({ path }) => path);
}

async function runFile(client: pg.Client, folder: string, { path, text }: SqlFile): Promise<void> {
  try {
    await client.query(text);
    await client.query('RESET ROLE');
  } catch (error) {
    throw failed(`\`${folder}/${path}${lineOf(error, text)}\`: ${reasonOf(error)}`, error);
  }
}

async function record(
  client: pg.Client,
  migrations: readonly SqlFile[],
  repeatables: readonly SqlFile[],
): Promise<void> {
  await client.query(`CREATE TABLE IF NOT EXISTS public.rok_files (
    path text PRIMARY KEY, checksum text NOT NULL, applied_at timestamptz NOT NULL DEFAULT clock_timestamp())`);
  await client.query(`DELETE FROM public.rok_files WHERE path LIKE 'repeatable/%'`);
  const all = [...migrations, ...repeatables];
  await client.query('INSERT INTO public.rok_files (path, checksum) SELECT * FROM unnest($1::text[], $2::text[])', [
    all.map(({ path }) => path),
    all.map(({ checksum }) => checksum),
  ]);
}

/**
 * Roles belong to the cluster, and several databases of one cluster may be migrated at once, but an advisory lock covers
 * one database only. So it is taken on `postgres`, or on the database itself where that one is closed to us.
 */
async function withClusterLock<T>(adminUrl: string, work: () => Promise<T>): Promise<T> {
  const client = await orStartError(adminUrl, connectForLock(adminUrl));
  try {
    await client.query('SELECT pg_advisory_lock($1)', [migrationLock]);
    return await work();
  } finally {
    await client.end();
  }
}

/** Ending the connection ends a transaction that was not committed. */
async function withClient<T>(url: string, work: (client: pg.Client) => Promise<T>): Promise<T> {
  const client = await orStartError(url, connect(url));
  try {
    return await work(client);
  } finally {
    await client.end();
  }
}

function orStartError(url: string, connecting: Promise<pg.Client>): Promise<pg.Client> {
  return connecting.catch((error: unknown) => {
    throw toStartError(error, url, decodeURIComponent(new URL(url).username));
  });
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
    options: '-c statement_timeout=0',
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

function failed(message: string, cause: unknown): StartError {
  const hint = 'correct the file; nothing of this migration was kept';
  return new StartError({ code: 'migration_failed', message, hint, exitCode: 1, cause });
}
