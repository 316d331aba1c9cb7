/**
 * `npm run verify`, and what CI runs: set up, the static checks, then every test. All of them are run, so that one look
 * shows all that is wrong; each check counts as one passed or failed beside the tests in the last line.
 */
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { npmTest } from './npm-test.mjs';
import { say } from './say.mjs';
import { countLine } from './test-result.mjs';

const root = fileURLToPath(new URL('..', import.meta.url));
const bin = (/** @type {string} */ path) => [process.execPath, `node_modules/${path}`];

/** @type {readonly { name: string, commands: readonly (readonly string[])[] }[]} */
const checks = [
  {
    name: 'format (prettier)',
    commands: [[...bin('prettier/bin/prettier.cjs'), '--check', '--log-level', 'warn', '.']],
  },
  { name: 'lint (eslint)', commands: [[...bin('eslint/bin/eslint.js'), '--max-warnings', '0', '.']] },
  {
    name: 'types (tsc)',
    commands: [
      [...bin('typescript/bin/tsc'), '-b'],
      [...bin('typescript/bin/tsc'), '-p', 'test/tsconfig.json'],
    ],
  },
  {
    name: 'laws of import (dependency-cruiser)',
    commands: [[...bin('dependency-cruiser/bin/dependency-cruise.mjs'), '--config', '.dependency-cruiser.cjs', 'src']],
  },
  { name: 'dead code (knip)', commands: [[...bin('knip/bin/knip.js'), '--no-progress']] },
];

process.exitCode = (await verify()) ? 0 : 1;

async function verify() {
  if (!runs([process.execPath, 'scripts/bootstrap.mjs'])) {
    console.log(countLine({ passed: 0, failed: 1, skipped: 0 }));
    return false;
  }
  const results = checks.map(({ name, commands }) => ({ name, ok: commands.every((command) => check(name, command)) }));
  const tests = await npmTest(root, process.argv.slice(2));
  for (const { name, ok } of results) console.log(`${ok ? 'passed' : 'FAILED'}  ${name}`);
  const failed = tests.failed + results.filter(({ ok }) => !ok).length;
  const passed = tests.passed + results.filter(({ ok }) => ok).length;
  console.log(countLine({ passed, failed, skipped: tests.skipped }));
  return failed === 0;
}

/** @param {string} name @param {readonly string[]} command */
function check(name, command) {
  say(`checking ${name} …`);
  return runs(command);
}

/** @param {readonly string[]} command */
function runs([program = '', ...args]) {
  return spawnSync(program, args, { cwd: root, stdio: ['ignore', 'inherit', 'inherit'] }).status === 0;
}
