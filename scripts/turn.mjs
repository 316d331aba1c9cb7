/**
 * Lets one process at a time set the tree up: two `npm ci` in one node_modules destroy each other's work. Deliberately
 * not fair and not for anything that runs long.
 */
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { say, SetupError } from './say.mjs';

const longestWaitMs = 600_000;

/**
 * @template T
 * @param {string} root
 * @param {() => Promise<T>} work
 * @returns {Promise<T>}
 */
export async function inTurn(root, work) {
  mkdirSync(join(root, '.rok'), { recursive: true });
  const file = join(root, '.rok/bootstrap.pid');
  const giveUpAt = Date.now() + longestWaitMs;
  let told = false;
  while (!take(file)) {
    const holder = holderOf(file);
    if (holder === undefined) continue;
    if (!told) say(`another process (${holder}) is setting up this folder, waiting for it …`);
    told = true;
    if (Date.now() > giveUpAt) {
      throw new SetupError(`process ${holder} has not finished setting up`, `end it, or remove ${file}`);
    }
    await sleep(250);
  }
  try {
    return await work();
  } finally {
    rmSync(file, { force: true });
  }
}

/** @param {string} file */
function take(file) {
  try {
    writeFileSync(file, String(process.pid), { flag: 'wx' });
    return true;
  } catch (error) {
    if (error.code === 'EEXIST') return false;
    throw error;
  }
}

/** The process that holds the file; a dead one's file is removed. @param {string} file @returns {number | undefined} */
function holderOf(file) {
  try {
    const pid = Number(readFileSync(file, 'utf8'));
    // Just created and not yet written: somebody is alive.
    if (pid === 0) return 0;
    process.kill(pid, 0);
    return pid;
  } catch (error) {
    if (error.code === 'EPERM') return 0;
    rmSync(file, { force: true });
    return undefined;
  }
}
