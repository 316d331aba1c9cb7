/**
 * One process at a time for a folder: two `rok dev` in one checkout would ruin each other's data. Deliberately a file with
 * a process in it and not a promise of cleanup: after kill -9 the next one sees that the holder is gone.
 *
 * Every holder makes a file with the next number, and the highest number counts. A number is never given up for a lower
 * one, so that of many who see the same dead holder only one can follow it.
 */
import { randomUUID } from 'node:crypto';
import { link, mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { StartError } from '../start-error.js';
import { startOf } from './process-identity.js';

export interface FolderLock {
  release(): Promise<void>;
}

/** Throws a StartError that names the process which holds it. */
export async function lockFolder(folder: string): Promise<FolderLock> {
  await mkdir(folder, { recursive: true });
  const draft = join(folder, `draft-${process.pid}-${randomUUID()}`);
  await writeFile(draft, `${process.pid} ${(await startOf(process.pid)) ?? ''}\n`, { mode: 0o600 });
  try {
    for (;;) {
      const last = await highest(folder);
      const holder = await readFile(fileOf(folder, last), 'utf8').catch(() => '');
      if (await isHeld(holder)) throw busy(folder, holder);
      if (await took(draft, folder, last + 1)) return { release: () => release(folder, last + 1) };
    }
  } finally {
    await rm(draft, { force: true });
  }
}

/** A link appears with its content in it, or not at all: nobody ever reads half a lock. */
async function took(draft: string, folder: string, number: number): Promise<boolean> {
  try {
    await link(draft, fileOf(folder, number));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  }
  const numbers = await numbersIn(folder);
  // Whoever comes from an old view may find a number free that was passed and cleared long ago.
  if (Math.max(...numbers) > number) {
    await rm(fileOf(folder, number), { force: true });
    return false;
  }
  for (const passed of numbers.filter((other) => other < number)) await rm(fileOf(folder, passed), { force: true });
  return true;
}

/** The file stays, held by nobody, to keep its number. */
async function release(folder: string, number: number): Promise<void> {
  const draft = join(folder, `draft-${process.pid}-${randomUUID()}`);
  await writeFile(draft, '');
  await rename(draft, fileOf(folder, number));
}

async function isHeld(content: string): Promise<boolean> {
  const [pid = '', start = ''] = content.trim().split(' ');
  return pid !== '' && start !== '' && (await startOf(Number(pid))) === start;
}

async function numbersIn(folder: string): Promise<readonly number[]> {
  return (await readdir(folder)).flatMap((name) => {
    const number = /^lock-(\d+)$/.exec(name)?.[1];
    return number === undefined ? [] : [Number(number)];
  });
}

async function highest(folder: string): Promise<number> {
  return Math.max(0, ...(await numbersIn(folder)));
}

function fileOf(folder: string, number: number): string {
  return join(folder, `lock-${number}`);
}

function busy(folder: string, holder: string): StartError {
  const pid = holder.split(' ')[0] ?? '';
  return new StartError({
    code: 'local_busy',
    message: `\`${folder}\` is used by another ROK (process ${pid})`,
    hint: `use that one, or end it with \`kill ${pid}\``,
    exitCode: 1,
  });
}
