/** A grant in full is the one that negotiating gives; and where it is not, nothing of it is left. */
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { randomUUID } from 'node:crypto';
import fc from 'fast-check';
import { decideInFull, openStepBatches, type AskedStep } from '../../src/decide/step/step-batches.js';
import { decideStep } from '../../src/decide/step/step.js';
import { reserveInFull, settleAndReserve, type ReserveAsk } from '../../src/decide/ledger/ledger.js';
import type { LedgerAnswer } from '../../src/decide/snapshot.js';
import { iso, runIdOf, uuidOf, type Digest } from '../../src/domain/ids.js';
import type { StepAnswer } from '../../src/domain/protocol/decide.js';
import { actionOf, balances, budget, drift, openRun, settle } from './ledger-rig.js';
import { createStepRig, modelCall, type StepRig } from './step-rig.js';

let rig: StepRig;
beforeAll(async () => {
  rig = await createStepRig({ limits: { usd: '0.010000' } });
});
afterAll(() => rig.close());

const UNDONE = new Error('undone');

/** What the ledger says; nothing of it stays. */
async function asked(run: string, ask: ReserveAsk) {
  let said: Awaited<ReturnType<typeof settleAndReserve>> = null;
  await rig
    .as(async (sql) => {
      said = await settleAndReserve(sql, runIdOf(run), [], ask);
      throw UNDONE;
    })
    .catch((error: unknown) => {
      if (error !== UNDONE) throw error;
    });
  return said as Awaited<ReturnType<typeof settleAndReserve>>;
}

/** What is granted in full, else null; nothing of it stays. */
async function inFull(run: string, ask: ReserveAsk) {
  let said: LedgerAnswer | null = null;
  try {
    await rig.as(async (sql) => {
      [said = null] = reserveInFull(sql, [{ run: runIdOf(run), settlements: [], ask }]);
      // The next statement is refused where the one before it failed.
      await sql.query('SELECT 1');
      throw UNDONE;
    });
  } catch (error) {
    if (error === UNDONE) return said;
    expect(error).toMatchObject({ code: 'RK001' });
  }
  return null;
}

it('is what negotiating gives, or is refused, whatever is asked of whatever is left', async () => {
  const outcomes = { granted: 0, refused: 0 };
  await fc.assert(
    fc.asyncProperty(
      fc.record({
        cap: fc.integer({ min: 0, max: 2_000 }),
        tokens: fc.integer({ min: 0, max: 2_000 }),
        base: fc.integer({ min: 0, max: 800 }),
        num: fc.integer({ min: 0, max: 7 }),
        den: fc.integer({ min: 1, max: 9 }),
        input: fc.integer({ min: 0, max: 400 }),
        output: fc.option(fc.integer({ min: 1, max: 700 })),
      }),
      async ({ cap, tokens, base, num, den, input, output }) => {
        const run = await openRun(rig.decide, `t-${randomUUID()}`);
        await budget(rig.decide, 'run', run, cap);
        await budget(rig.decide, 'run', run, tokens, 'tokens');
        const ask: ReserveAsk = {
          step: 1,
          attempt: 1,
          turn: 1,
          actionDigest: actionOf(1) as Digest,
          notAfter: iso('2999-01-01T00:00:00.000Z'),
          enforced: true,
          bound: {
            baseMicros: BigInt(base),
            perToken: { num: BigInt(num), den: BigInt(den) },
            inputTokens: input,
            priceKey: null,
          },
          askedOutputTokens: output,
        };
        const truth = await asked(run, ask);
        const given = await inFull(run, ask);
        const plain = truth?.ok === true && truth.warnings?.length === 0 && truth.breaches?.length === 0;
        const granted = plain && (truth.output_tokens ?? null) === output;
        expect(given).toEqual(granted ? truth : null);
        outcomes[granted ? 'granted' : 'refused'] += 1;
      },
    ),
    { numRuns: 120, seed: 20261124 },
  );
  expect(outcomes.granted).toBeGreaterThan(20);
  expect(outcomes.refused).toBeGreaterThan(20);
}, 60_000);

it('leaves nothing where it was wrong, and then decides as if it had not been tried', async () => {
  const tenant = `t-${randomUUID()}`;
  // A call of 100 + 100 tokens is 200 micro-USD: the tenant can pay for half of the answer.
  await budget(rig.decide, 'tenant', tenant, 170);
  const { opened, caller } = await rig.open(
    { tenant },
    { workflowId: `rok/${tenant}/${randomUUID()}`, temporalRunId: randomUUID() },
  );
  const request = await modelCall(rig, opened.run, 1, { tokens: 100 });
  await expect(rig.as((sql) => decideInFull(sql, rig.deps, [{ caller, request }]))).rejects.toMatchObject({
    code: 'RK001',
  });
  const rows = (table: string) =>
    rig.decide.query(`SELECT FROM decide.${table} WHERE run_id = $1 AND step = 1`, [uuidOf(opened.run)]);
  expect(await rows('decisions')).toEqual([]);
  expect(await rows('reservations')).toEqual([]);
  const answer: StepAnswer = await rig.step(caller, request);
  expect(answer).toMatchObject({ kind: 'decided', ruling: { effect: 'allow', grant: { outputTokens: 70 } } });
  expect(await rows('decisions')).toHaveLength(1);
  expect(await balances(rig.decide, tenant)).toEqual({ 'tenant/usd_micros': { spent: 0n, reserved: 170n, over: 0n } });
  expect(await settle(rig.decide, uuidOf(opened.run), 1, 'released')).toMatchObject({ settled: 1 });
  expect(await drift(rig.decide)).toEqual([]);
});

const CALLED = ['accounts_of', 'move', 'negotiate', 'reserve_in_full', 'settle', 'settle_and_reserve'];

it.each([
  ['go by rules that cost no call: each is written into the statement that asks it', '', CALLED],
  [
    'call a rule that cannot be written into them, and it is found',
    'ALTER FUNCTION decide.warns(numeric, numeric, numeric, numeric, timestamptz) SET search_path = decide',
    [...CALLED, 'warns'],
  ],
])('both ways %s', async (_what, planted, expected) => {
  const run = await openRun(rig.decide, `t-${randomUUID()}`);
  await budget(rig.decide, 'run', run, 1_000);
  const ask = {
    run,
    step: 1,
    attempt: 1,
    turn: 1,
    action_digest: actionOf(1),
    not_after: '2999-01-01',
    price_key: null,
  };
  const cost = { base_micros: 10, per_token_num: 1, per_token_den: 3, input_tokens: 7, asked_output: 30 };
  const settlement = { step: 1, attempt: 1, state: 'released', micros: '0', tokens: 0, calls: 0, cost_usd: '0' };
  let called: readonly string[] = [];
  await rig.stack.admin
    .transaction(async (sql) => {
      await sql.query(`SET LOCAL track_functions = 'all'; ${planted}`);
      const inFull = [{ ...ask, ...cost, micros: 20, tokens: 37 }];
      await sql.query(`SELECT decide.reserve_in_full('[]', $1)`, [JSON.stringify(inFull)]);
      const reserve = { ...ask, ...cost, step: 2, enforced: true, floor: 10 };
      const asked = [run, JSON.stringify([settlement]), JSON.stringify(reserve)];
      await sql.query('SELECT decide.settle_and_reserve($1, $2, $3)', asked);
      const rows = await sql.query<{ name: string }>(
        `SELECT funcname AS name FROM pg_stat_xact_user_functions WHERE schemaname = 'decide' ORDER BY 1`,
      );
      called = rows.map(({ name }) => name);
      throw UNDONE;
    })
    .catch((error: unknown) => {
      if (error !== UNDONE) throw error;
    });
  expect(called).toEqual(expected);
});

/** A first call of a new run. */
async function stepOf(tenant: string): Promise<AskedStep> {
  const { opened, caller } = await rig.open(
    { tenant },
    { workflowId: `rok/${tenant}/${randomUUID()}`, temporalRunId: randomUUID() },
  );
  return { caller, request: await modelCall(rig, opened.run, 1) };
}

/** Batches of their own, with what they failed with. */
function batches() {
  const failures: object[] = [];
  return {
    inBatch: openStepBatches(rig.decide, rig.deps, { error: (fields) => void failures.push(fields) }),
    failures,
  };
}

describe('a batch', () => {
  it('waits for an account that somebody else holds for a moment only, and then each is decided by itself', async () => {
    const tenant = `t-${randomUUID()}`;
    await budget(rig.decide, 'tenant', tenant, 100_000);
    const step = await stepOf(tenant);
    const { inBatch, failures } = batches();
    await rig.decide.query('SELECT decide.accounts_of($1)', [uuidOf(step.request.run)]);
    await rig.stack.admin.transaction(async (sql) => {
      await sql.query('SELECT FROM decide.accounts WHERE subject = $1 FOR UPDATE', [tenant]);
      expect(await inBatch(step)).toBeNull();
    });
    expect(failures).toEqual([]);
    expect(await rig.step(step.caller, step.request)).toMatchObject({ kind: 'decided', ruling: { effect: 'allow' } });
  });

  it('that fails otherwise says so to all of it and to the log; asked again, each is decided by itself', async () => {
    const [first, good, bad] = await Promise.all([stepOf('acme'), stepOf('acme'), stepOf('acme')]);
    const { inBatch, failures } = batches();
    await rig.stack.admin.query(`CREATE FUNCTION decide.planted() RETURNS trigger LANGUAGE plpgsql AS $$
      BEGIN RAISE EXCEPTION 'planted'; END $$;
      CREATE TRIGGER planted BEFORE INSERT ON decide.decisions FOR EACH ROW
      WHEN (NEW.run_id = '${uuidOf(bad.request.run)}') EXECUTE FUNCTION decide.planted()`);
    try {
      const planted: unknown = expect.objectContaining({ message: expect.stringContaining('planted') });
      expect(await Promise.allSettled([first, good, bad].map(inBatch))).toEqual([
        { status: 'fulfilled', value: expect.objectContaining({ kind: 'decided' }) },
        { status: 'rejected', reason: planted },
        { status: 'rejected', reason: planted },
      ]);
      expect(failures).toEqual([{ code: 'P0001', runs: [good.request.run, bad.request.run] }]);
      expect(await Promise.all([good, bad].map(inBatch))).toEqual([null, null]);
      expect(await rig.step(good.caller, good.request)).toMatchObject({ kind: 'decided', ruling: { effect: 'allow' } });
      await expect(rig.as((sql) => decideStep(sql, rig.deps, bad.caller, bad.request))).rejects.toThrow('planted');
    } finally {
      await rig.stack.admin.query('DROP FUNCTION decide.planted() CASCADE');
    }
    expect(await inBatch(bad)).toMatchObject({ kind: 'decided' });
  });
});
