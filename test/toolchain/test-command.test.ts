/**
 * `scripts/test.mjs` with the real jest on small planted repositories: its last line tells the truth, however jest ends.
 */
import { afterEach, describe, expect, it } from '@jest/globals';
import { countLine, countTests } from '../../scripts/test-result.mjs';
import { plantRoot, shareNodeModules, type PlantedRoot } from './planted-root.js';

const config = 'export default { testMatch: ["**/*.test.mjs"], transform: {} };\n';
const jestGlobals = "import { expect, it } from '@jest/globals';\n";
const passing = `${jestGlobals}it('holds', () => expect(1).toBe(1));\n`;
const failing = `${jestGlobals}it('does not hold', () => expect(1).toBe(2));\n`;

let root: PlantedRoot | undefined;
afterEach(() => root?.remove());

function runJestOn(files: Readonly<Record<string, string>>, args: readonly string[] = []) {
  root = plantRoot({ 'package.json': '{ "type": "module" }', 'jest.config.mjs': config, ...files });
  shareNodeModules(root);
  return root.run('scripts/test.mjs', args);
}

describe('the test command', () => {
  it('counts what passed, failed and was skipped, and fails when one failed', () => {
    const skipped = `${jestGlobals}it.skip('is left out', () => expect(1).toBe(2));\nit.todo('comes later');\n`;
    const { exitCode, lastLine } = runJestOn({ 'a.test.mjs': passing, 'b.test.mjs': failing, 'c.test.mjs': skipped });
    expect({ exitCode, lastLine }).toEqual({ exitCode: 1, lastLine: '1 passed, 1 failed, 2 skipped' });
  });

  it('succeeds when all passed, and hands its arguments on to jest', () => {
    const { exitCode, lastLine } = runJestOn({ 'a.test.mjs': passing, 'b.test.mjs': failing }, ['a.test']);
    expect({ exitCode, lastLine }).toEqual({ exitCode: 0, lastLine: '1 passed, 0 failed' });
  });

  it('counts a test file that does not load as a failure', () => {
    const { exitCode, lastLine } = runJestOn({ 'a.test.mjs': passing, 'b.test.mjs': "import './not-there.mjs';\n" });
    expect({ exitCode, lastLine }).toEqual({ exitCode: 1, lastLine: '1 passed, 1 failed' });
  });

  it('fails when no test ran', () => {
    const { exitCode, lastLine, stderr } = runJestOn({ 'a.txt': '' });
    expect({ exitCode, lastLine }).toEqual({ exitCode: 1, lastLine: '0 passed, 1 failed' });
    expect(stderr).toMatch(/rok: (no test ran|jest ended)/);
  });

  it('fails when jest itself ends before its report', () => {
    const dying = 'process.kill(process.pid, "SIGKILL");\nexport default {};\n';
    const { exitCode, lastLine, stderr } = runJestOn({ 'a.test.mjs': passing, 'jest.config.mjs': dying });
    expect({ exitCode, lastLine }).toEqual({ exitCode: 1, lastLine: '0 passed, 1 failed' });
    expect(stderr).toContain('rok: jest ended (exit code null) without a report');
  });
});

describe("jest's report", () => {
  const report = { numPassedTests: 3, numFailedTests: 0, numPendingTests: 0, numTodoTests: 0 };

  it('that shows no failure beside a bad exit code counts as one', () => {
    expect(countTests(report, 1)).toEqual({
      passed: 3,
      failed: 1,
      skipped: 0,
      complaints: ["no test failed, but jest's exit code is 1"],
    });
  });

  it('with only skipped tests counts as a failure', () => {
    const counts = countTests({ ...report, numPassedTests: 0, numPendingTests: 2 }, 0);
    expect(countLine(counts)).toBe('0 passed, 1 failed, 2 skipped');
  });
});
