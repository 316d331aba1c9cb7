/** Very many runs at once, and one among them that cannot be read: everything due is judged by one look, whatever is in it. */
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { judgeDue } from '../../src/audit/judge/judge.js';
import type { OpenDatabase } from '../../src/platform/postgres/database.js';
import { proofSize } from '../proof-size.js';
import { createStack, type Stack } from '../stack/stack.js';
import { aRun, type RunFacts } from './facts.js';
import { openAs, verdictsOf } from './judged.js';
import { plant } from './plant.js';

const POISONED_AMONG = proofSize({ quick: 1_200, full: 10_000 });
const OVERDUE = proofSize({ quick: 1_500, full: 50_000 });
const BATCH = 1_000;

let stack: Stack;
let audit: OpenDatabase;
beforeAll(async () => {
  stack = await createStack();
  audit = await openAs(stack, 'audit');
});
afterAll(async () => {
  await audit.close();
  await stack.drop();
});

async function plantMany(count: number, make: (n: number) => RunFacts): Promise<readonly RunFacts[]> {
  const all = Array.from({ length: count }, (_, n) => make(n));
  for (let at = 0; at < all.length; at += BATCH) await plant(stack.admin, all.slice(at, at + BATCH));
  return all;
}

it(`one poisoned row among ${POISONED_AMONG}: it is JUDGE_ERROR, all others are judged, in one look`, async () => {
  const poisoned = Math.floor(POISONED_AMONG / 3);
  const all = await plantMany(POISONED_AMONG, (n) =>
    aRun({ finalizeDueMs: 36_000_000, ...(n === poisoned ? { earlier: 'unreadable' } : {}) }),
  );
  const began = performance.now();
  const looked = await judgeDue(audit);
  process.stdout.write(
    `judge-load: ${looked.length} runs, one poisoned: ${Math.round(performance.now() - began)} ms\n`,
  );
  expect(looked.length).toBe(POISONED_AMONG);
  const verdicts = await verdictsOf(
    stack.admin,
    all.map((one) => one.run),
  );
  expect(verdicts.flatMap((one, at) => (one?.status === 'COMPLETE' && one.findings.length === 0 ? [] : [at]))).toEqual([
    poisoned,
  ]);
  expect(verdicts[poisoned]).toEqual({
    status: 'INCOMPLETE',
    findings: [{ code: 'JUDGE_ERROR', blocking: true, subject: 'judge', detail: 'SQLSTATE 22023' }],
  });
  expect(await judgeDue(audit)).toEqual([]);
}, 600_000);

it(`${OVERDUE} overdue at once: every one STALE in one look of one judge, none twice`, async () => {
  const all = await plantMany(OVERDUE, () =>
    aRun({ finalizeDueMs: -1_000, phase: 'EXECUTING', outcome: null, acks: [], evaluation: null, tries: [] }),
  );
  const began = performance.now();
  const [one, other] = await Promise.all([judgeDue(audit), judgeDue(audit)]);
  process.stdout.write(`judge-load: ${OVERDUE} overdue: ${Math.round(performance.now() - began)} ms, two judges\n`);
  expect([...one, ...other].filter((judged) => judged.written).length).toBe(OVERDUE);
  const verdicts = await verdictsOf(
    stack.admin,
    all.map((facts) => facts.run),
  );
  expect(verdicts.filter((verdict) => verdict?.status === 'STALE').length).toBe(OVERDUE);
}, 600_000);
