/**
 * The order of the test files: what starts workers first, for these take long, and one of them begun last would be waited for
 * alone. By folder and size, so that a machine that never ran them has the same order as one that has.
 */
import { relative } from 'node:path';

const LONG = ['faults', 'workflows', 'client', 'cli', 'examples'];

/** @typedef {{ readonly path: string, readonly context: { readonly config: { readonly rootDir: string }, readonly hasteFS: { getSize(path: string): number | null } } }} Test as jest has it */

export default class LongestFirst {
  /** @param {readonly Test[]} tests @returns {readonly Test[]} */
  sort(tests) {
    return [...tests].sort((a, b) => rank(a) - rank(b) || sizeOf(b) - sizeOf(a));
  }

  /** For `--onlyFailures`: nothing is kept between runs. @param {readonly Test[]} tests */
  allFailedTests(tests) {
    return this.sort(tests);
  }

  cacheResults() {}
}

/** @param {Test} test */
function rank({ path, context }) {
  const [, folder = ''] = relative(context.config.rootDir, path).split(/[/\\]/);
  const at = LONG.indexOf(folder);
  return at < 0 ? LONG.length : at;
}

/** @param {Test} test */
function sizeOf({ path, context }) {
  return context.hasteFS.getSize(path) ?? 0;
}
