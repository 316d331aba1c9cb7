/**
 * Refuses a Node that is too old, in one sentence, before anything else is loaded. Deliberately reads the wanted version
 * from package.json: there is one place to change it.
 */
import { readFileSync } from 'node:fs';
import { SetupError } from './say.mjs';

/** @param {string} root @param {string} running a version such as `20.19.0` */
export function requireNode(root, running = process.versions.node) {
  const wanted = JSON.parse(readFileSync(`${root}/package.json`, 'utf8')).engines.node.replace('>=', '');
  if (compareVersions(running, wanted) >= 0) return;
  throw new SetupError(
    `ROK needs Node ${wanted} or newer, and this is Node ${running}`,
    `install Node ${wanted} or newer (\`nvm install\` reads .nvmrc) and run the same command again`,
  );
}

/** @param {string} a @param {string} b */
function compareVersions(a, b) {
  const [left, right] = [a, b].map((version) => version.split('.').map(Number));
  const at = left.findIndex((part, index) => part !== right[index]);
  return at === -1 ? 0 : left[at] - right[at];
}
