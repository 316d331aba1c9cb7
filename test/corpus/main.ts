/**
 * `npm run test:corpus [-- --data FOLDER] [--in-flight N] [--only ID]`: every recorded run of the folder, governed, end to
 * end, on a PostgreSQL and a Temporal of its own. The last line is `N passed, N failed`, and the exit code agrees with it.
 */
import { resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { DefaultLogger, Runtime } from '@temporalio/worker';
import { createOwnStack } from '../stack/stack.js';
import { readPriceRows, readRecordings, sharedData, TABLES } from './recording.js';
import { replayAll, type Replayed } from './replay-all.js';
import { whereTimeGoes } from './where-time-goes.js';

const say = (line: string): void => {
  process.stdout.write(`${line}\n`);
};

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: { data: { type: 'string' }, 'in-flight': { type: 'string' }, only: { type: 'string' } },
  });
  const folder = values.data === undefined ? sharedData : resolve(values.data);
  const all = await readRecordings(folder);
  const recordings = values.only === undefined ? all : all.filter(({ id }) => id === values.only);
  if (recordings.length === 0) throw new Error(`\`${folder}\` holds no recorded run of that name`);
  const rows = await readPriceRows(folder, TABLES.recorded);
  const began = performance.now();
  Runtime.install({ logger: new DefaultLogger('ERROR') });
  const stack = await createOwnStack({ temporal: true });
  try {
    say(`servers are up after ${seconds(performance.now() - began)}; ${recordings.length} runs to go`);
    const replayed = await replayAll(stack, recordings, rows, { inFlight: Number(values['in-flight'] ?? 4), tell });
    for (const line of await whereTimeGoes(stack.admin)) say(line);
    const calls = replayed.reduce((sum, one) => sum + one.modelCalls, 0);
    const skills = replayed.reduce((sum, one) => sum + one.skillCalls, 0);
    const malformed = replayed.reduce((sum, one) => sum + one.malformed, 0);
    say(
      `${calls} model calls, ${skills} skill calls, ${malformed} malformed calls in ${seconds(performance.now() - began)}`,
    );
    const failed = replayed.filter(({ problems }) => problems.length > 0).length;
    say(`${recordings.length - failed} passed, ${failed} failed`);
    process.exitCode = failed === 0 ? 0 : 1;
  } finally {
    await stack.drop();
  }
}

function tell({ id, modelCalls, skillCalls, malformed, ms, problems }: Replayed): void {
  const counts = `${modelCalls} model calls, ${skillCalls} skill calls, ${malformed} malformed`;
  say(`${problems.length === 0 ? 'ok    ' : 'FAILED'} ${id}: ${counts}, ${seconds(ms)}`);
  for (const problem of problems) say(`         ${problem}`);
}

const seconds = (ms: number): string => `${(ms / 1000).toFixed(1)} s`;

try {
  await main();
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  say('0 passed, 1 failed');
  process.exitCode = 1;
}
