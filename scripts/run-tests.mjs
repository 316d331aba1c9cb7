/**
 * Runs jest as a child, with its output passed through, and returns the counts. Deliberately knows nothing of what was
 * tested; what the counts mean is in test-result.mjs.
 */
import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { countTests } from './test-result.mjs';

// Tests are ES modules, as the sources are, and jest runs those only behind this flag, about which Node would warn.
const nodeFlags = ['--disable-warning=ExperimentalWarning', '--experimental-vm-modules'];
const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'];

/** @param {string} root @param {readonly string[]} args for jest @returns {Promise<import('./test-result.mjs').Counts>} */
export async function runTests(root, args) {
  const folder = mkdtempSync(join(tmpdir(), 'rok-jest-'));
  const report = join(folder, 'report.json');
  const jest = join(root, 'node_modules/jest/bin/jest.js');
  // A test file that failed half-way may leave a worker behind, and jest would wait for it for ever.
  const ci = ['--forceExit', ...(process.env.CI ? ['--ci'] : [])];
  try {
    const exitCode = await run([...nodeFlags, jest, '--json', `--outputFile=${report}`, ...ci, ...args], root);
    return countTests(existsSync(report) ? JSON.parse(readFileSync(report, 'utf8')) : undefined, exitCode);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** @param {readonly string[]} args @param {string} cwd @returns {Promise<number | null>} */
function run(args, cwd) {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, args, { cwd, stdio: ['ignore', 'inherit', 'inherit'] });
    const passOn = (/** @type {NodeJS.Signals} */ signal) => child.kill(signal);
    for (const signal of signals) process.on(signal, passOn);
    child.once('error', reject);
    child.once('exit', (code) => {
      for (const signal of signals) process.off(signal, passOn);
      resolve(code);
    });
  });
}
