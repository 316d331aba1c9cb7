/**
 * The comparison with the model, compared: each of these hand-made changes of the verdict's SQL must make it fail. A mutant
 * that survives is a rule that no random case ever touched. One population, judged again under each mutant.
 */
import { readFile } from 'node:fs/promises';
import { isDeepStrictEqual } from 'node:util';
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { judgeDue } from '../../src/audit/judge.js';
import type { OpenDatabase } from '../../src/platform/database.js';
import { proofSize } from '../proof-size.js';
import { createStack, type Stack } from '../stack/stack.js';
import type { RunFacts } from './facts.js';
import { openAs, verdictsOf } from './judged.js';
import { judgeModel, type ModelVerdict } from './model.js';
import { plant } from './plant.js';
import { randomFacts } from './random-facts.js';

type Mutant = { readonly file: string; readonly from: string; readonly to: string };
const PROMISES = '0603_promise_findings';
const EXECUTION = '0604_execution_findings';
const TRACE = '0605_trace_findings';
const RULING = '0624_ruling';

/** The first of them are what `npm test` tries. */
const MUTANTS: readonly Mutant[] = [
  { file: TRACE, from: 'e.events <> h.length', to: 'e.events < h.length' },
  { file: PROMISES, from: "a.evidence ->> 'table' IS DISTINCT FROM audit.evidence_of(a.domain)", to: 'false' },
  { file: EXECUTION, from: 'w.over_micros > 0', to: 'w.over_micros > 7' },
  { file: RULING, from: 'WHERE o.blocking', to: 'WHERE NOT o.blocking' },
  { file: PROMISES, from: 'WHERE p.holds AND p.done_at > p.due_at', to: 'WHERE p.done_at > p.due_at' },
  { file: EXECUTION, from: 'OR m.tokens > 0', to: 'OR m.tokens > 3' },
  { file: EXECUTION, from: 'NOT (u.mild OR u.made_good)', to: 'NOT u.mild' },
  { file: RULING, from: 'f.done_at > c.finalize_due', to: 'f.done_at >= c.finalize_due' },
  { file: PROMISES, from: '(p.final OR p.due_at < p_now)', to: '(p.due_at < p_now)' },
  { file: PROMISES, from: 'p.done_at IS NULL ELSE p.acks IS NULL', to: 'p.acks IS NULL ELSE p.acks IS NULL' },
  { file: PROMISES, from: "'LATE', p.liveness", to: "'LATE', true" },
  { file: PROMISES, from: 'max(a.n * 10', to: 'min(a.n * 10' },
  { file: PROMISES, from: "e.condition = 'always' OR (", to: 'true OR (' },
  { file: PROMISES, from: 'ELSE e.due_at END AS due_at', to: 'ELSE c.finalize_due END AS due_at' },
  { file: PROMISES, from: 'AND e.seq = audit.seq_of(a.evidence)', to: 'AND e.seq >= audit.seq_of(a.evidence)' },
  { file: PROMISES, from: "<> 'run_' || a.run_id", to: '= NULL' },
  { file: PROMISES, from: "AND d.kind IN ('run.outcome', 'run.repair')", to: '' },
  { file: PROMISES, from: 'v.outcome IS DISTINCT FROM r.outcome', to: 'false' },
  { file: PROMISES, from: 'o.outcome IS DISTINCT FROM r.outcome', to: 'false' },
  { file: PROMISES, from: "WHERE a.status = 'done') a", to: ') a' },
  { file: EXECUTION, from: "t.action_digest, 'allow')", to: 't.action_digest, d.effect)' },
  { file: EXECUTION, from: '= (t.run_id, t.step, t.attempt, t.nonce)', to: '= (t.run_id, t.step, t.attempt, w.nonce)' },
  { file: EXECUTION, from: "'settled', 'forfeited')", to: "'settled')" },
  { file: EXECUTION, from: 'later.attempt > t.attempt', to: 'later.attempt < t.attempt' },
  { file: EXECUTION, from: 'AND r.phase IN (', to: 'OR r.phase IN (' },
  {
    file: EXECUTION,
    from: "r.outcome <> 'succeeded' AND o.run_id IS NULL",
    to: "r.outcome = 'failed' AND o.run_id IS NULL",
  },
  { file: EXECUTION, from: 'NOT k.ok', to: 'k.ok' },
  { file: TRACE, from: 'e.last_seq <> h.length', to: 'false' },
  { file: TRACE, from: 'AND l.seq = h.length), c.digest)', to: 'AND l.seq = h.length), h.hash)' },
  { file: TRACE, from: "a.status = 'done') IS NOT NULL", to: "a.status = 'done') IS NULL" },
  { file: RULING, from: 'c.finalize_due >= p_now AS pending', to: 'true AS pending' },
  { file: RULING, from: 'x.blocking DESC, x.code', to: 'x.code' },
];
const CHOSEN = proofSize({ quick: MUTANTS.slice(0, 4), full: MUTANTS });
const RUNS = proofSize({ quick: 500, full: 3_000 });

const seed = Number(process.env['ROK_SEED'] ?? Date.now() % 2 ** 31);
let stack: Stack;
let audit: OpenDatabase;
let all: readonly RunFacts[];
let expected: readonly (ModelVerdict | null)[];
beforeAll(async () => {
  process.stdout.write(`verdict-mutants: seed ${seed}\n`);
  stack = await createStack();
  audit = await openAs(stack, 'audit');
  all = fc.sample(randomFacts, { seed, numRuns: RUNS });
  const base = await plant(stack.admin, all);
  expected = all.map((facts) => judgeModel(facts, base));
});
afterAll(async () => {
  await audit.close();
  await stack.drop();
});

const sqlOf = async (file: string): Promise<string> =>
  (await readFile(new URL(`../../sql/audit/${file}.sql`, import.meta.url), 'utf8')).replaceAll(
    'CREATE FUNCTION',
    'CREATE OR REPLACE FUNCTION',
  );

/** Takes back what was judged, judges anew. @returns how many verdicts differ from the model's; all when the judge gave up */
async function differences(): Promise<number> {
  await stack.admin.transaction(async (sql) => {
    await sql.query('SET LOCAL session_replication_role = replica');
    await sql.query('DELETE FROM audit.unsigned');
    // What was planted as standing is an hour old.
    await sql.query(`DELETE FROM audit.verdicts WHERE judged_at > clock_timestamp() - interval '30 minutes'`);
    await sql.query(`UPDATE audit.contracts SET judge_after = '-infinity'`);
  });
  try {
    await judgeDue(audit, { page: 700 });
  } catch {
    return all.length;
  }
  const judged = await verdictsOf(
    stack.admin,
    all.map((one) => one.run),
  );
  return expected.filter((verdict, at) => !isDeepStrictEqual(judged[at], verdict)).length;
}

it('unchanged, the SQL agrees with the model on these runs', async () => {
  expect(await differences()).toBe(0);
});

it.each(CHOSEN)(
  'kills $file with `$to` for `$from`',
  async ({ file, from, to }) => {
    const original = await sqlOf(file);
    expect(original.split(from).length).toBe(2);
    await stack.admin.query(original.replace(from, () => to));
    const killedBy = await differences();
    await stack.admin.query(original);
    process.stdout.write(`verdict-mutants: ${killedBy} of ${all.length} runs differ: ${to} for ${from}\n`);
    expect(killedBy).toBeGreaterThan(0);
  },
  120_000,
);
