/** What the global setup hands to every test file, through one JSON file that STACK_FILE names. */
import { readFile } from 'node:fs/promises';

export interface StackFile {
  /** Temporary; gone after the last test. */
  readonly folder: string;
  /** The superuser's URL of the database `postgres`. */
  readonly adminUrl: string;
  /** Migrated once; every test file's database is a copy of it. */
  readonly template: string;
  readonly passwords: Readonly<Record<string, string>>;
  readonly temporalAddress: string;
  readonly temporalUiUrl: string;
  readonly namespaces: readonly string[];
}

export async function readStackFile(): Promise<StackFile> {
  const file = process.env['STACK_FILE'];
  if (file === undefined) throw new Error('no shared stack: it was switched off by STACK=none');
  return JSON.parse(await readFile(file, 'utf8')) as StackFile;
}
