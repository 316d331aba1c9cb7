/** Recorded runs, governed: the hand-written one always, a short real one where the data is present; all of them by `npm run test:corpus`. */
import { afterEach, expect, it } from '@jest/globals';
import {
  fixtureData,
  holdsTranscripts,
  readPriceRows,
  readRecordings,
  sharedData,
  TABLES,
} from '../corpus/recording.js';
import { replayAll } from '../corpus/replay-all.js';
import { createStack, type Stack } from '../stack/stack.js';

const REAL = 'django__django-11163';
let stack: Stack | undefined;
afterEach(async () => {
  await stack?.drop();
  stack = undefined;
});

async function replayed(folder: string, id: string) {
  const recordings = (await readRecordings(folder)).filter((recording) => recording.id === id);
  stack = await createStack();
  const rows = await readPriceRows(folder, TABLES.recorded);
  const runs = await replayAll(stack, recordings, rows, { inFlight: 1, tell: () => undefined });
  return runs.map(({ ms: _ms, ...rest }) => rest);
}

it('a hand-written recording with malformed answers goes through as it was written', async () => {
  expect(await replayed(fixtureData, 'fixture__greeting-1')).toEqual([
    { id: 'fixture__greeting-1', modelCalls: 7, skillCalls: 4, malformed: 2, problems: [] },
  ]);
});

const present = holdsTranscripts(sharedData);
if (!present) process.stdout.write('no recorded runs beside the project: the real one is skipped\n');
(present ? it : it.skip)('a real recorded run goes through as it was recorded', async () => {
  expect(await replayed(sharedData, REAL)).toEqual([
    { id: REAL, modelCalls: 13, skillCalls: 12, malformed: 0, problems: [] },
  ]);
});
