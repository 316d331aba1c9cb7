/**
 * The file by which other commands find the stack that `rok dev` runs: it holds the variables that lead there, readable
 * by its owner only. Useless once that process is gone: each start makes new ports and passwords.
 */
import { readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { startOf } from './process-identity.js';

interface DevFile {
  readonly pid: number;
  /** When that process began: its number may be another's by now. */
  readonly start: string;
  readonly env: Readonly<Record<string, string>>;
}

const fileIn = (folder: string): string => join(folder, 'dev.json');

/** @returns takes it away again */
export async function writeDevFile(
  folder: string,
  env: Readonly<Record<string, string>>,
): Promise<() => Promise<void>> {
  const content: DevFile = { pid: process.pid, start: (await startOf(process.pid)) ?? '', env };
  await rm(fileIn(folder), { force: true });
  await writeFile(fileIn(folder), JSON.stringify(content), { mode: 0o600 });
  return () => rm(fileIn(folder), { force: true });
}

/** What the running `rok dev` of this folder says; nothing when none runs. */
export async function readDevFile(folder: string): Promise<Readonly<Record<string, string>>> {
  const text = await readFile(fileIn(folder), 'utf8').catch(() => '');
  if (text === '') return {};
  const { pid, start, env } = JSON.parse(text) as DevFile;
  return start !== '' && (await startOf(pid)) === start ? env : {};
}
