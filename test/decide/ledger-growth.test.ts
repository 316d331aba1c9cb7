/** What one step reads does not grow with what the run did before, however its session's plans were made. */
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { writeDecision } from '../../src/decide/decision-row.js';
import { NO_COUNTERS } from '../../src/decide/snapshot.js';
import { readStepFacts } from '../../src/decide/step-facts.js';
import { runIdOf, type Digest } from '../../src/domain/ids.js';
import type { Sql } from '../../src/domain/sql.js';
import { openDatabase, type OpenDatabase } from '../../src/platform/database.js';
import { budget, createLedgerRig, openRun, type LedgerRig } from './ledger-rig.js';
import { skillCall, snapshotWith } from './snapshots.js';

let rig: LedgerRig;
let session: OpenDatabase;
/** One connection of the deciders' own. */
let deciding: OpenDatabase;
beforeAll(async () => {
  rig = await createLedgerRig();
  session = await openDatabase(rig.stack.adminUrl, { applicationName: 'tests', max: 1 });
  deciding = await openDatabase(rig.stack.urls.decide, { login: 'decide', applicationName: 'tests', max: 1 });
});
afterAll(async () => {
  await Promise.all([session.close(), deciding.close()]);
  await rig.close();
});

/** Whole steps, each its own transaction: settle the last, reserve, decide, redeem. */
const steps = (run: string, from: number, to: number): string => `DO $$ BEGIN FOR i IN ${from}..${to} LOOP
  PERFORM decide.settle_and_reserve('${run}', CASE WHEN i = 1 THEN '[]'::jsonb ELSE jsonb_build_array(jsonb_build_object(
      'step', i - 1, 'attempt', 1, 'state', 'settled', 'micros', 120, 'tokens', 100, 'calls', 1, 'cost_usd', 0)) END,
    jsonb_build_object('step', i, 'attempt', 1, 'turn', 1, 'action_digest', repeat('a', 64), 'not_after', '2999-01-01',
      'enforced', true, 'price_key', null, 'base_micros', 100, 'per_token_num', 1, 'per_token_den', 2, 'input_tokens', 100,
      'asked_output', 100, 'floor', 64));
  INSERT INTO decide.decisions (run_id, step, attempt, kind, target, effect, action_digest, request_digest, arguments_digest,
    context_digest, not_after, snapshot_digest, policy_set_digest, price_table_digest, body)
  VALUES ('${run}', i, 1, 'model.call', 'm', 'allow', repeat('a', 64), repeat('a', 64), 'a', 'a', now(), 's', 'p', 't', '{}');
  COMMIT;
  PERFORM decide.redeem('${run}', i, 1, repeat('a', 64), gen_random_uuid());
  PERFORM execute.fence('${run}', i, 1);
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

/** Rows that `work` reads, of all tables of deciders and executors; nothing of it stays. */
async function rowsRead(database: OpenDatabase, work: (sql: Sql) => Promise<unknown>): Promise<number> {
  let read = NaN;
  await database
    .transaction(async (sql) => {
      const before = await counted(sql);
      await work(sql);
      read = (await counted(sql)) - before;
      throw UNDONE;
    })
    .catch((error: unknown) => {
      if (error !== UNDONE) throw error;
    });
  return read;
}
const UNDONE = new Error('undone');

/** Settle, reserve, decision, redeem. */
const wholeStep =
  (run: string, step: number) =>
  async (sql: Sql): Promise<void> => {
    await sql.query(
      `SELECT decide.settle_and_reserve($1, jsonb_build_array(jsonb_build_object('step', $2 - 1, 'attempt', 1, 'state', 'settled',
        'micros', 120, 'tokens', 100, 'calls', 1, 'cost_usd', 0)), jsonb_build_object('step', $2::int, 'attempt', 1, 'turn', 1,
        'action_digest', repeat('a', 64), 'not_after', '2999-01-01', 'enforced', true, 'price_key', null, 'base_micros', 100,
        'per_token_num', 1, 'per_token_den', 2, 'input_tokens', 100, 'asked_output', 100, 'floor', 64))`,
      [run, step],
    );
    await sql.query(
      `INSERT INTO decide.decisions (run_id, step, attempt, kind, target, effect, action_digest, request_digest,
        arguments_digest, context_digest, not_after, snapshot_digest, policy_set_digest, price_table_digest, body)
      VALUES ($1, $2, 1, 'model.call', 'm', 'allow', repeat('a', 64), repeat('a', 64), 'a', 'a', now(), 's', 'p', 't', '{}')`,
      [run, step],
    );
    await sql.query(`SELECT decide.redeem($1, $2, 1, repeat('a', 64), gen_random_uuid())`, [run, step]);
  };

/** What a decision reads before it is made, and what writing it reads. */
const factsAndDecision =
  (run: string, step: number) =>
  async (sql: Sql): Promise<void> => {
    const digest = 'a'.repeat(64) as Digest;
    const facts = await readStepFacts(sql, runIdOf(run), {
      step,
      attempt: 1,
      kind: 'model.call',
      target: 'm',
      turn: 2,
      actionDigest: digest,
      argumentsDigest: null,
      base: null,
      added: [digest],
    });
    expect(facts.open).toHaveLength(1);
    expect(facts.recent).toHaveLength(5);
    writeDecision(sql, {
      run: runIdOf(run),
      intent: { ...skillCall, step },
      actionDigest: digest,
      snapshot: snapshotWith({}),
      answer: {
        ruling: { effect: 'deny', reasons: [], final: false },
        determining: [],
        errors: [],
        notices: [],
      },
      policySetDigest: digest,
      priceTableDigest: digest,
      counters: NO_COUNTERS,
      phase: 'EXECUTING',
    });
  };

it('reads as many rows after two thousand steps as after a hundred', async () => {
  const run = await openRun(session, 'acme', { team: 'x' });
  await budget(session, 'run', run, '1000000000');
  await budget(session, 'label', 'acme/team=x', '1000000000');
  await budget(session, 'tenant', 'acme', '1000000000');
  // Analyzed while they are small: the worst moment to make plans.
  await session.query('ANALYZE');
  await session.query(steps(run, 1, 100));
  const early = await rowsRead(session, wholeStep(run, 101));
  const earlyFacts = await rowsRead(deciding, factsAndDecision(run, 101));
  await session.query(steps(run, 101, 2_000));
  const late = await rowsRead(session, wholeStep(run, 2_001));
  const lateFacts = await rowsRead(deciding, factsAndDecision(run, 2_001));
  process.stdout.write(`rows read by a step: ${early} after 100 steps, ${late} after 2,000\n`);
  process.stdout.write(
    `rows read by its facts and decision: ${earlyFacts} after 100 steps, ${lateFacts} after 2,000\n`,
  );
  expect(early).toBeGreaterThan(5);
  expect(late).toBeLessThanOrEqual(early * 1.1);
  expect(earlyFacts).toBeGreaterThan(5);
  expect(lateFacts).toBeLessThanOrEqual(earlyFacts * 1.1);
}, 120_000);
