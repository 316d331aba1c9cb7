/**
 * Installs the dependencies when node_modules is missing or is not what package-lock.json says. npm writes into
 * node_modules what it installed, so the two are compared and no stamp of our own can go stale.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { say, SetupError } from './say.mjs';

/** @param {string} root @returns {boolean} */
export function dependenciesAreCurrent(root) {
  const installedFile = join(root, 'node_modules/.package-lock.json');
  if (!existsSync(installedFile)) return false;
  const installed = packagesOf(installedFile);
  const locked = packagesOf(join(root, 'package-lock.json'));
  const isThere = ([name, { version }]) => installed[name]?.version === version;
  // What is optional is for another platform as often as not; when it is here it must still be the right version.
  const isExcused = ([name, entry]) => name === '' || (entry.optional === true && installed[name] === undefined);
  return Object.entries(locked).every((entry) => isExcused(entry) || isThere(entry));
}

/** @param {string} root */
export function installDependencies(root) {
  say('installing dependencies (npm ci) …');
  const args = ['ci', '--include=dev', '--no-audit', '--no-fund'];
  const npm = process.env.npm_execpath;
  // npm's stdout goes to our stderr: stdout is data.
  const options = { cwd: root, stdio: ['ignore', 2, 2] };
  const { status, error } = npm?.endsWith('.js')
    ? spawnSync(process.execPath, [npm, ...args], options)
    : spawnSync('npm', args, { ...options, shell: process.platform === 'win32' });
  if (status === 0) return;
  throw new SetupError(
    error ? `npm could not be started: ${error.message}` : `\`npm ci\` failed with exit code ${status}`,
    'read the lines of npm above; most often the package registry cannot be reached, or the disk is full',
  );
}

/** @param {string} file */
function packagesOf(file) {
  return JSON.parse(readFileSync(file, 'utf8')).packages ?? {};
}
