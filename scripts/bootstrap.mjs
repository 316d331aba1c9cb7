/**
 * Makes a fresh clone ready to run: Node version, dependencies, compiled sources, Temporal CLI. Runs before `npm start`
 * and `npm test`, with Node's own modules only, for there may be no others yet. Does nothing, quickly, when all is there.
 */
import { fileURLToPath } from 'node:url';
import { build, buildIsCurrent } from './build.mjs';
import { requireEnterable } from './checkout-folder.mjs';
import { dependenciesAreCurrent, installDependencies } from './dependencies.mjs';
import { requireNode } from './node-version.mjs';
import { say, sayFailure } from './say.mjs';
import { findTemporalCli, getTemporalCli } from './temporal-cli.mjs';
import { inTurn } from './turn.mjs';

const root = fileURLToPath(new URL('..', import.meta.url)).replace(/[/\\]$/, '');

try {
  requireNode(root);
  requireEnterable(root);
  if (!isReady()) await inTurn(root, makeReady);
} catch (error) {
  sayFailure(error);
  // Whoever reads the results of `npm test` looks for this line, and jest will not be there to give it.
  if (process.env.npm_lifecycle_event === 'pretest') console.log('0 passed, 1 failed');
  process.exitCode = 1;
}

function isReady() {
  return dependenciesAreCurrent(root) && buildIsCurrent(root) && findTemporalCli(root) !== undefined;
}

async function makeReady() {
  // Asked again, one by one: somebody else may have done it while we waited for our turn.
  if (!dependenciesAreCurrent(root)) installDependencies(root);
  if (!buildIsCurrent(root)) build(root);
  if (findTemporalCli(root) === undefined) say(`Temporal CLI: ${await getTemporalCli(root)}`);
}
