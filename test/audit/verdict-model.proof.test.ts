/** The verdict SQL against its naive TypeScript model, on random facts. The seed is printed; ROK_SEED repeats a run. */
import { isDeepStrictEqual } from 'node:util';
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { judgeDue } from '../../src/audit/judge/judge.js';
import { BLOCKING_FINDINGS, NOTE_FINDINGS, VERDICT_STATUSES } from '../../src/domain/verdict.js';
import type { OpenDatabase } from '../../src/platform/postgres/database.js';
import { proofSize } from '../proof-size.js';
import { createStack, type Stack } from '../stack/stack.js';
import { newRun, type RunFacts } from './facts.js';
import { openAs, verdictsOf } from './judged.js';
import { judgeModel } from './model.js';
import { plant } from './plant.js';
import { randomFacts } from './random-facts.js';

const SIZE = proofSize({
  quick: { batches: 4, unreadable: 12, strays: 40, atLeast: 3 },
  full: { batches: 100, unreadable: 1_300, strays: 2_000, atLeast: 1_000 },
});
const BATCH = proofSize({ quick: 300, full: 1_000 });
/** Alone, in small pages, in one that is planned by rows, in one that is planned by tables. */
const PAGES = [1, 97, 500, 4_000];
const seed = Number(process.env['ROK_SEED'] ?? Date.now() % 2 ** 31);
const seen = new Map<string, number>();

let stack: Stack;
let audit: OpenDatabase;
beforeAll(async () => {
  process.stdout.write(`verdict-model: seed ${seed}\n`);
  stack = await createStack();
  audit = await openAs(stack, 'audit');
});
afterAll(async () => {
  await audit.close();
  await stack.drop();
});

/** What stands unreadable has no code. */
const count = (name?: string): void => {
  if (name !== undefined) seen.set(name, (seen.get(name) ?? 0) + 1);
};

/** Plants, judges, compares; counts what was found. */
async function agree(all: readonly RunFacts[], page: number): Promise<void> {
  const base = await plant(stack.admin, all);
  await judgeDue(audit, { page });
  const judged = await verdictsOf(
    stack.admin,
    all.map((one) => one.run),
  );
  const differences = all.flatMap((facts, at) => {
    const expected = judgeModel(facts, base);
    count(expected?.status ?? 'PENDING');
    for (const code of new Set(expected?.findings.map((finding) => finding.code))) count(code);
    return isDeepStrictEqual(judged[at], expected) ? [] : [{ facts, judged: judged[at], expected }];
  });
  expect({ seed, differences: differences.slice(0, 3) }).toEqual({ seed, differences: [] });
}

it(
  `agrees with the model on ${SIZE.batches * BATCH} random runs`,
  async () => {
    for (let batch = 0; batch < SIZE.batches; batch += 1)
      await agree(
        fc.sample(randomFacts, { seed: seed + batch, numRuns: BATCH }),
        PAGES[batch % PAGES.length] === 1 && batch >= PAGES.length ? 4_000 : (PAGES[batch % PAGES.length] ?? 500),
      );
  },
  proofSize({ quick: 60_000, full: 1_800_000 }),
);

it('judges again without a change: no revision is added', async () => {
  const verdicts = () => stack.admin.query('SELECT count(*)::int AS verdicts FROM audit.verdicts');
  const before = await verdicts();
  await stack.admin.query(
    `UPDATE audit.contracts SET judge_after = clock_timestamp()
     WHERE run_id IN (SELECT run_id FROM audit.contracts ORDER BY declared_at DESC LIMIT 3000)`,
  );
  const looked = await judgeDue(audit);
  expect(looked.length).toBe(Math.min(3_000, SIZE.batches * BATCH));
  expect(looked.filter((one) => one.written)).toEqual([]);
  expect(await verdicts()).toEqual(before);
});

it(
  'agrees on runs whose data it cannot read, found by halving among those that it can',
  async () => {
    const all = fc
      .sample(randomFacts, { seed: seed + 1_000_000, numRuns: 2 * SIZE.unreadable })
      .map((facts, at): RunFacts => (at % 2 === 0 ? { ...facts, earlier: 'unreadable' } : facts));
    await agree(all, 50);
  },
  proofSize({ quick: 60_000, full: 600_000 }),
);

it(`agrees on ${SIZE.strays} executions without a run`, async () => {
  type Stray = { readonly run: string; readonly due: boolean; readonly knows: 'nothing' | 'a run' | 'a refusal' };
  const strays = fc.sample(
    fc.record<Stray>({
      run: fc.constant('').map(() => newRun()),
      due: fc.boolean(),
      knows: fc.oneof(
        { weight: 8, arbitrary: fc.constant('nothing' as const) },
        { weight: 1, arbitrary: fc.constantFrom('a run' as const, 'a refusal' as const) },
      ),
    }),
    { seed, numRuns: 2 * SIZE.strays },
  );
  await stack.admin.query(
    `INSERT INTO audit.strays (workflow_id, temporal_run_id, run_id, started_at, due_at)
     SELECT 'rok/stray/' || run, 'stray-' || run, run, clock_timestamp() - interval '1 hour',
       clock_timestamp() + CASE WHEN due THEN interval '-1 second' ELSE interval '1 hour' END
     FROM jsonb_to_recordset($1) AS x (run uuid, due boolean)`,
    [JSON.stringify(strays)],
  );
  await stack.admin.transaction(async (sql) => {
    await sql.query('SET LOCAL session_replication_role = replica');
    await sql.query(
      `WITH x AS (SELECT * FROM jsonb_to_recordset($1) AS x (run uuid, knows text)),
       runs AS (INSERT INTO decide.runs (run_id, tenant, agent, workflow_id, temporal_run_id, phase, profile, spec_digest, actor,
           limits, contract_digest, run_deadline)
         SELECT run, 'acme', 'desk', 'rok/stray/' || run, 'stray-' || run, 'EXECUTING', 'STANDARD', '', '{}', '{}', '', now()
         FROM x WHERE knows = 'a run'),
       contracts AS (INSERT INTO audit.contracts (run_id, tenant, agent, profile, declared_at, declared_run_deadline,
           declared_finalize_due, expires_at, bytes, digest, run_deadline, finalize_due)
         SELECT run, 'acme', 'desk', 'STANDARD', now(), now(), now(), now(), '', sha256(''), now(), now() FROM x WHERE knows = 'a run'),
       histories AS (INSERT INTO decide.histories (run_id, temporal_run_id, workflow_id, reason)
         SELECT run, 'stray-' || run, 'rok/stray/' || run, 'open' FROM x WHERE knows = 'a run')
       INSERT INTO decide.refused_histories (workflow_id, temporal_run_id, code)
         SELECT 'rok/stray/' || run, 'stray-' || run, 'not_this_history' FROM x WHERE knows = 'a refusal'`,
      [JSON.stringify(strays)],
    );
  });
  while ((await audit.query('SELECT FROM audit.judge_strays(NULL, 500)')).length > 0);
  await audit.query('SELECT FROM audit.judge_strays(NULL, 500)');
  const judged = await verdictsOf(
    stack.admin,
    strays.map((one) => one.run),
  );
  const expected = strays.map(({ run, due, knows }) => {
    if (!due || knows !== 'nothing') return null;
    count('NO_CONTRACT');
    const detail = `the execution stray-${run} never opened a run`;
    return {
      status: 'INCOMPLETE',
      findings: [{ code: 'NO_CONTRACT', blocking: true, subject: `rok/stray/${run}`, detail }],
    };
  });
  expect(judged).toEqual(expected);
}, 60_000);

it(`came to every status and every finding of the vocabulary at least ${SIZE.atLeast} times`, () => {
  process.stdout.write(`verdict-model: ${JSON.stringify(Object.fromEntries([...seen].sort()))}\n`);
  // A generator that never comes to a finding would agree on everything.
  const words = [...VERDICT_STATUSES, 'PENDING', ...BLOCKING_FINDINGS, ...NOTE_FINDINGS];
  expect(words.filter((word) => (seen.get(word) ?? 0) < SIZE.atLeast)).toEqual([]);
});
