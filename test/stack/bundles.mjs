/**
 * Workflows bundled once in a run of the tests. The SDK bundles them anew for each worker that starts, which is a second or two
 * of both cores, some hundred times a run, for the same sources: they do not change while tests run. What is kept is the SDK's own
 * bundle, whole. Kept only of sources in this repository: what a test writes elsewhere may change under the same name.
 */
import { createHash, randomUUID } from 'node:crypto';
import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../..', import.meta.url));
const require = createRequire(import.meta.url);

/** @returns {string | undefined} where this run keeps them; undefined when there is no shared stack */
export function bundlesFolder() {
  const { TEST_BUNDLES: told, STACK_FILE: stack } = process.env;
  return told ?? (stack === undefined ? undefined : join(dirname(stack), 'bundles'));
}

/**
 * @param {string} folder
 * @param {object} bundler the SDK's, made for what is to be bundled
 * @param {() => Promise<{ code: string }>} create bundles it
 * @returns {Promise<{ code: string }>}
 */
export async function keptBundle(folder, bundler, create) {
  const file = join(folder, `${keyOf(bundler)}.js`);
  const kept = read(file);
  if (kept !== undefined) return { code: kept };
  const bundle = await create();
  mkdirSync(folder, { recursive: true });
  // Written whole, then named: another process may be reading.
  const fresh = `${file}.${randomUUID()}`;
  writeFileSync(fresh, bundle.code);
  renameSync(fresh, file);
  return bundle;
}

/** Of everything that it bundles by, but the sources and where it logs. @param {object} bundler */
function keyOf(bundler) {
  const by = Object.entries(bundler).filter(([name]) => name !== 'logger');
  const told = JSON.stringify(by, (_, value) => (typeof value === 'function' ? String(value) : value));
  return createHash('sha256').update(told).digest('hex');
}

/** @param {string} file */
function read(file) {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return undefined;
  }
}

const folder = bundlesFolder();
if (folder !== undefined) {
  const { WorkflowCodeBundler } = require('@temporalio/worker/lib/workflow/bundler.js');
  const create = WorkflowCodeBundler.prototype.createBundle;
  WorkflowCodeBundler.prototype.createBundle = function createBundle() {
    const bundle = () => create.call(this);
    return this.workflowsPath.startsWith(root) ? keptBundle(folder, this, bundle) : bundle();
  };
}
