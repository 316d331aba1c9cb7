/**
 * Compiles src/ into dist/ when a source was added, changed or removed since the last time. Deliberately asks the file
 * system and not the compiler: loading TypeScript to learn that nothing changed takes longer than everything else here.
 */
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { say, SetupError } from './say.mjs';

const stampFile = 'dist/.sources';
const compiledEndings = ['.js.map', '.d.ts', '.js'];

/** @param {string} root @returns {boolean} */
export function buildIsCurrent(root) {
  const stamp = join(root, stampFile);
  return existsSync(stamp) && readFileSync(stamp, 'utf8') === fingerprint(root);
}

/** @param {string} root */
export function build(root) {
  say('compiling (tsc -b) …');
  const before = fingerprint(root);
  const compiler = join(root, 'node_modules/typescript/bin/tsc');
  const { status } = spawnSync(process.execPath, [compiler, '-b'], { cwd: root, stdio: ['ignore', 2, 2] });
  if (status !== 0) throw new SetupError('the sources do not compile', 'correct the errors above, then run it again');
  removeOrphans(root);
  // Taken before: a file saved while the compiler ran is compiled again the next time.
  writeFileSync(join(root, stampFile), before);
}

/** Compiled files whose source is gone would still be found by an import. @param {string} root */
function removeOrphans(root) {
  for (const file of filesUnder(join(root, 'dist'))) {
    const ending = compiledEndings.find((candidate) => file.endsWith(candidate));
    if (ending === undefined) continue;
    const source = join(root, 'src', relative(join(root, 'dist'), file.slice(0, -ending.length)));
    if (!existsSync(`${source}.ts`)) rmSync(file);
  }
}

/** @param {string} root */
function fingerprint(root) {
  const settings = ['tsconfig.json', 'package-lock.json'].map((name) => join(root, name));
  const hash = createHash('sha256');
  for (const file of [...filesUnder(join(root, 'src')), ...settings].sort()) {
    const { size, mtimeMs } = statSync(file);
    hash.update(`${relative(root, file)} ${size} ${mtimeMs}\n`);
  }
  return hash.digest('hex');
}

/** @param {string} folder */
function filesUnder(folder) {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name));
}
