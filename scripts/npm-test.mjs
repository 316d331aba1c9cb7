/**
 * Runs `npm test`, the command that the README names, passes its output through and reads the counts off its last line.
 * Without such a line, or with an exit code that contradicts it, it counts as failed.
 */
import { spawn } from 'node:child_process';

const COUNTS = /^(\d+) passed, (\d+) failed(?:, (\d+) skipped)?$/gm;
const TAIL_CHARS = 2_000;

/** @param {string} root @param {readonly string[]} args for jest @returns {Promise<{ passed: number, failed: number, skipped: number }>} */
export async function npmTest(root, args) {
  const child = spawn('npm', ['test', '--', ...args], { cwd: root, stdio: ['ignore', 'pipe', 'inherit'] });
  let tail = '';
  child.stdout.on('data', (/** @type {Buffer} */ chunk) => {
    process.stdout.write(chunk);
    tail = `${tail}${chunk.toString()}`.slice(-TAIL_CHARS);
  });
  const code = await new Promise((resolve) => {
    child.once('error', () => resolve(-1));
    child.once('close', resolve);
  });
  const counts = [...tail.matchAll(COUNTS)].at(-1);
  if (counts === undefined) return { passed: 0, failed: 1, skipped: 0 };
  const [passed = 0, failed = 0, skipped = 0] = counts.slice(1).map((count) => Number(count ?? '0'));
  return { passed, failed: failed === 0 && code !== 0 ? 1 : failed, skipped };
}
