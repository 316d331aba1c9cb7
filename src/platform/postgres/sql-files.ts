/**
 * The files of sql/, in the order in which they run. Migrations make tables and run once; repeatable files make what can be
 * made again: functions, views, triggers and rights. Deliberately without a database.
 */
import { createHash } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { basename, join, relative, sep } from 'node:path';
import { StartError } from '../start-error.js';

export interface SqlFile {
  /** From the folder on, with `/`: `migrations/decide/0101_tenants.sql`. Recorded in the database, so it never changes. */
  readonly path: string;
  readonly text: string;
  /** SHA-256 of the file's bytes in hexadecimal, as `sha256sum` prints it. */
  readonly checksum: string;
}

export interface SqlFiles {
  readonly migrations: readonly SqlFile[];
  readonly repeatables: readonly SqlFile[];
}

/** Reads `migrations/…/NNNN_name.sql` and `repeatable/…/NNNN_name.sql`. Throws a StartError that names a misplaced file. */
export async function readSqlFiles(folder: string): Promise<SqlFiles> {
  const entries = await readdir(folder, { withFileTypes: true, recursive: true });
  const paths = entries
    .filter((entry) => entry.isFile() && entry.name.endsWith('.sql'))
    .map((entry) => relative(folder, join(entry.parentPath, entry.name)).split(sep).join('/'))
    .sort((a, b) => (basename(a) < basename(b) ? -1 : 1));
  const below = (kind: string): readonly string[] => paths.filter((path) => path.startsWith(`${kind}/`));
  const [migrations, repeatables] = [below('migrations'), below('repeatable')];
  const astray = paths.find((path) => !migrations.includes(path) && !repeatables.includes(path));
  if (astray !== undefined)
    throw misplaced(`\`${astray}\` is neither below \`migrations/\` nor below \`repeatable/\``, 'move it');
  [migrations, repeatables].forEach(refuseWrongNumbers);
  const read = (path: string): Promise<SqlFile> => readSqlFile(folder, path);
  return {
    migrations: await Promise.all(migrations.map(read)),
    repeatables: await Promise.all(repeatables.map(read)),
  };
}

/** The place of a file in its order: the first four characters of its name. */
export function numberOf(path: string): string {
  return basename(path).slice(0, 4);
}

/** The schemas that repeatable files speak for: `repeatable/decide/…` for all that can be made again in `decide`. */
export function schemasOf(paths: readonly string[]): readonly string[] {
  const schemas = paths.flatMap((path) => /^repeatable\/([^/]+)\//.exec(path)?.[1] ?? []);
  return [...new Set(schemas)].sort();
}

async function readSqlFile(folder: string, path: string): Promise<SqlFile> {
  const bytes = await readFile(join(folder, path));
  return { path, text: bytes.toString('utf8'), checksum: createHash('sha256').update(bytes).digest('hex') };
}

function refuseWrongNumbers(paths: readonly string[]): void {
  paths.forEach((path, at) => {
    if (!/^\d{4}_[a-z0-9_-]+\.sql$/.test(basename(path)))
      throw misplaced(`\`${path}\` is not named like \`0001_name.sql\``, 'rename it');
    const first = paths.findIndex((other) => numberOf(other) === numberOf(path));
    if (first !== at)
      throw misplaced(`\`${paths[first] ?? ''}\` and \`${path}\` have the same number`, 'renumber one of them');
  });
}

function misplaced(message: string, hint: string): StartError {
  return new StartError({ code: 'migration_failed', message, hint, exitCode: 1 });
}
