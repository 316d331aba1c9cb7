/** What one step reads does not grow with what the run did before, however its session's plans were made. */
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { randomUUID } from 'node:crypto';
import type { Caller } from '../../src/decide/actors/caller.js';
import { decideInFull } from '../../src/decide/step/step-batches.js';
import { decideStep } from '../../src/decide/step/step.js';
import { uuidOf, type RunId } from '../../src/domain/ids.js';
import type { StepAnswer } from '../../src/domain/protocol/decide.js';
import type { Database, Sql } from '../../src/domain/sql.js';
import { openRedeems } from '../../src/execute/calls/redeems.js';
import { openDatabase, type OpenDatabase } from '../../src/platform/postgres/database.js';
import { budget } from './ledger-rig.js';
import { createStepRig, executed, modelCall, type StepRig } from './step-rig.js';

let rig: StepRig;
/** One connection each, with the settings of their logins: plans that are made early stay. */
let [deciding, executing]: OpenDatabase[] = [];
beforeAll(async () => {
  rig = await createStepRig({
    limits: { usd: '1000.00', tokens: 1_000_000_000, steps: 1_000_000, modelCalls: 1_000_000 },
  });
  const one = (login: 'decide' | 'execute') =>
    openDatabase(rig.stack.urls[login], { login, applicationName: 'tests', max: 1 });
  [deciding, executing] = await Promise.all([one('decide'), one('execute')]);
});
afterAll(async () => {
  await Promise.all([deciding?.close(), executing?.close()]);
  await rig.close();
});

/** Steps of before, made in the database: reserved, decided, redeemed, and fenced as if nobody had heard of them. */
const history = (run: RunId, from: number, to: number): string => `DO $$ BEGIN FOR i IN ${from}..${to} LOOP
  PERFORM decide.settle_and_reserve('${uuidOf(run)}', CASE WHEN i = 1 THEN '[]'::jsonb ELSE jsonb_build_array(jsonb_build_object(
      'step', i - 1, 'attempt', 1, 'state', 'settled', 'micros', 120, 'tokens', 100, 'calls', 1, 'cost_usd', 0)) END,
    jsonb_build_object('step', i, 'attempt', 1, 'turn', i, 'action_digest', repeat('a', 64), 'not_after', '2999-01-01',
      'enforced', true, 'price_key', 'scripted/a', 'base_micros', 100, 'per_token_num', 1, 'per_token_den', 2, 'input_tokens', 100,
      'asked_output', 100, 'floor', 64));
  INSERT INTO decide.decisions (run_id, step, attempt, kind, target, effect, action_digest, request_digest, arguments_digest,
    context_digest, not_after, snapshot_digest, policy_set_digest, price_table_digest, body)
  VALUES ('${uuidOf(run)}', i, 1, 'model.call', 'scripted/a', 'allow', repeat('a', 64), encode(sha256(i::text::bytea), 'hex'),
    'a', 'a', now(), 's', 'p', '${rig.deps.prices.digest}', '{}');
  COMMIT;
  PERFORM decide.redeem('${uuidOf(run)}', i, 1, repeat('a', 64), gen_random_uuid());
  PERFORM execute.fence('${uuidOf(run)}', i, 1);
  COMMIT;
END LOOP; END $$`;

/** What this session has read so far and not handed on. */
async function counted(sql: Sql): Promise<number> {
  const [row] = await sql.query<{ read: number }>(
    `SELECT sum(coalesce(seq_tup_read, 0) + coalesce(idx_tup_fetch, 0))::int AS read FROM pg_stat_xact_user_tables
    WHERE schemaname IN ('decide', 'execute')`,
  );
  return row?.read ?? NaN;
}

/** Counts the rows that its transactions read, of all tables of deciders and executors, up to each commit. */
function counting(database: OpenDatabase | undefined): { readonly database: Database; read(): number } {
  if (database === undefined) throw new Error('not open');
  let read = 0;
  const transaction: Database['transaction'] = (work, options) =>
    database.transaction(async (sql) => {
      const before = await counted(sql);
      const result = await work(sql);
      // Statements of one connection are run in order: those that nobody waits for come before this one.
      read += (await counted(sql)) - before;
      return result;
    }, options);
  const query: Database['query'] = (text, values) => transaction((sql) => sql.query(text, values));
  const whole: Database = { query, transaction, until: () => whole, close: () => Promise.resolve() };
  return { database: whole, read: () => read };
}

type Run = { readonly run: RunId; readonly caller: Caller };
type Reads = { readonly inFull: number; readonly byItself: number; readonly inBatch: number; readonly redeem: number };

/** Rows that real steps read, whose ways are the workers': in full, by itself, in a batch of two, redeemed. */
async function readsOfSteps(run: Run, at: number, [other, otherAt]: readonly [Run, number]): Promise<Reads> {
  const reads = async (
    way: 'in full' | 'by itself',
    ...steps: readonly (readonly [Run, number])[]
  ): Promise<number> => {
    const counted = counting(deciding);
    const asked = await Promise.all(
      steps.map(async ([one, step]) => ({ caller: one.caller, request: await modelCall(rig, one.run, step) })),
    );
    const answers = await counted.database.transaction((sql): Promise<readonly (StepAnswer | null)[]> =>
      way === 'in full'
        ? decideInFull(sql, rig.deps, asked)
        : Promise.all(asked.map(({ caller, request }) => decideStep(sql, rig.deps, caller, request))),
    );
    for (const [place, [one, step]] of steps.entries()) {
      const answer = answers[place] ?? null;
      expect(answer).toMatchObject({ kind: 'decided', ruling: { effect: 'allow' } });
      if (answer !== null) await executed(rig, one.run, step, answer, 50);
    }
    return counted.read();
  };
  const inFull = await reads('in full', [run, at]);
  const byItself = await reads('by itself', [run, at + 1]);
  const inBatch = await reads('in full', [run, at + 2], [other, otherAt]);
  return { inFull, byItself, inBatch, redeem: await readsOfRedeem(run, at + 3) };
}

async function readsOfRedeem({ run, caller }: Run, step: number): Promise<number> {
  const answer = await rig.step(caller, await modelCall(rig, run, step));
  if (answer.kind !== 'decided') throw new Error(answer.kind);
  const counted = counting(executing);
  const ask = { run, step, attempt: 1, actionDigest: answer.actionDigest, nonce: randomUUID() };
  expect(await openRedeems(counted.database)(ask)).toMatchObject({ answer: 'ok' });
  await rig.stack.admin.query('SELECT execute.fence($1, $2, 1)', [uuidOf(run), step]);
  return counted.read();
}

it('reads as many rows after two thousand steps as after a hundred', async () => {
  const tenant = 'acme';
  await budget(rig.decide, 'tenant', tenant, '1000000000');
  const open = async (): Promise<Run> => {
    const { opened, caller } = await rig.open({ tenant });
    await rig.decide.query(`UPDATE decide.runs SET phase = 'EXECUTING' WHERE run_id = $1`, [uuidOf(opened.run)]);
    return { run: opened.run, caller };
  };
  const [run, other] = [await open(), await open()];
  await rig.decide.query('INSERT INTO decide.price_tables (digest, body) VALUES ($1, $2) ON CONFLICT DO NOTHING', [
    rig.deps.prices.digest,
    rig.deps.prices.body,
  ]);
  // Analyzed while they are small: the worst moment to make plans.
  await rig.stack.admin.query('ANALYZE');
  await rig.stack.admin.query(history(run.run, 1, 100));
  await rig.stack.admin.query(history(other.run, 1, 10));
  const early = await readsOfSteps(run, 101, [other, 11]);
  await rig.stack.admin.query(history(run.run, 105, 2_000));
  const late = await readsOfSteps(run, 2_001, [other, 12]);
  process.stdout.write(`rows read by steps: ${JSON.stringify(early)} after 100, ${JSON.stringify(late)} after 2,000\n`);
  for (const way of ['inFull', 'byItself', 'inBatch', 'redeem'] as const) {
    expect(early[way]).toBeGreaterThan(3);
    expect(late[way]).toBeLessThanOrEqual(early[way] * 1.1);
  }
}, 120_000);
