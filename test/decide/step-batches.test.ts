/** Steps of one batch end as they would have one by one; where the batch is not granted in full, each is decided by itself. */
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { randomUUID } from 'node:crypto';
import fc from 'fast-check';
import {
  reserveInFull,
  settleAndReserve,
  type Settlement,
  type StepToReserve,
} from '../../src/decide/ledger/ledger.js';
import type { LedgerAnswer } from '../../src/decide/snapshot.js';
import { decideInFull } from '../../src/decide/step/step-batches.js';
import { iso, runIdOf, uuidOf, type Digest } from '../../src/domain/ids.js';
import type { Sql } from '../../src/domain/sql.js';
import { actionOf, balances, budget, drift, openRun, redeem, reserve } from './ledger-rig.js';
import { createStepRig, modelCall, type StepRig } from './step-rig.js';

let rig: StepRig;
beforeAll(async () => {
  rig = await createStepRig({ limits: { usd: '0.010000' } });
});
afterAll(() => rig.close());

const UNDONE = new Error('undone');

/** What `work` answers; nothing of it stays. */
async function undone<T>(work: (sql: Sql) => Promise<T>): Promise<T> {
  let said: { readonly answer: T } | null = null;
  await rig
    .as(async (sql) => {
      said = { answer: await work(sql) };
      throw UNDONE;
    })
    .catch((error: unknown) => {
      if (error !== UNDONE) throw error;
    });
  return (said as { readonly answer: T } | null)?.answer as T;
}

/** All that a step leaves in the ledger, but for times and numbers. */
const left = (sql: Sql, tenant: string, runs: readonly string[]) =>
  Promise.all([
    sql.query(
      `SELECT scope, subject, unit, spent, reserved, over, ceiling, warned_at IS NULL AS unwarned FROM decide.accounts
      WHERE subject = $1 OR subject = ANY ($2) ORDER BY 1, 2, 3`,
      [tenant, runs],
    ),
    sql.query(
      `SELECT run_id, step, attempt, state, price_key, bound_tokens, bound_micros, granted_output, output_tokens, spent_micros, over_micros, tokens, cost_usd,
        (SELECT array_agg(a ORDER BY a) FROM unnest(accounts, amounts) a) AS accounts
      FROM decide.reservations WHERE run_id = ANY ($1) ORDER BY 1, 2`,
      [runs],
    ),
    sql.query(
      `SELECT account_id, run_id, step, op, reserved, spent, over FROM decide.journal WHERE run_id = ANY ($1)
      ORDER BY 1, 2, 3, 4, 5, 6`,
      [runs],
    ),
  ]);

const inFull = (answer: LedgerAnswer | null, asked: number): boolean =>
  answer?.ok === true &&
  answer.output_tokens === asked &&
  answer.warnings?.length === 0 &&
  answer.breaches?.length === 0;

/** What became of an earlier call: not asked for, not begun, or begun, and what it is said to have used. */
const SETTLED = {
  before: fc.constantFrom('none' as const, 'issued' as const, 'redeemed' as const),
  used: fc.constantFrom('-1', '0', '3', '40', '60', '1.5', '1e300'),
  tokens: fc.integer({ min: 0, max: 200 }),
  // Of the answer: none said, a part of the tokens, or more than there are.
  answered: fc.constantFrom(null, 0, 3, 60, 250, -1),
  ends: fc.constantFrom('settled' as const, 'forfeited' as const),
};
const oneStep = fc.record({ ...SETTLED, output: fc.integer({ min: 1, max: 600 }) });

type OneStep = typeof oneStep extends fc.Arbitrary<infer T> ? T : never;

/** Makes it so; of a call that was never asked for, the settlement is of something unknown. */
async function settlementAt(
  run: string,
  step: number,
  { before, used, tokens, answered, ends }: Omit<OneStep, 'output'>,
): Promise<Settlement> {
  if (before !== 'none') await reserve(rig.decide, run, step, { micros: 50, inputTokens: 5, askedOutput: 5 });
  if (before === 'redeemed') expect(await redeem(rig.execute, run, step)).toBe('ok');
  return {
    step,
    attempt: 1,
    state: before === 'issued' ? 'released' : ends,
    micros: before === 'issued' ? '0' : used,
    tokens,
    calls: 1,
    output: answered,
    cost_usd: '0.000003',
  };
}

const askOf = (step: number, output: number): StepToReserve['ask'] => ({
  step,
  attempt: 1,
  turn: step,
  actionDigest: actionOf(step) as Digest,
  notAfter: iso('2999-01-01T00:00:00.000Z'),
  enforced: true,
  bound: { baseMicros: 10n, perToken: { num: 1n, den: 3n }, inputTokens: 7, priceKey: null },
  askedOutputTokens: output,
});

async function batchOf(tenant: string, runs: readonly string[], steps: readonly OneStep[]) {
  const batch: StepToReserve[] = [];
  for (const [at, step] of steps.entries()) {
    const run = runs[at] ?? '';
    await budget(rig.decide, 'run', run, 100_000);
    const settlement = await settlementAt(run, 1, step);
    batch.push({
      run: runIdOf(run),
      settlements: step.before === 'none' ? [] : [settlement],
      ask: askOf(2, step.output),
    });
  }
  return batch;
}

describe('a batch', () => {
  it('leaves what its steps leave one by one, in whatever order, or nothing where one is not granted in full', async () => {
    const outcomes = { together: 0, refused: 0 };
    await fc.assert(
      fc.asyncProperty(
        fc.array(oneStep, { minLength: 1, maxLength: 5 }),
        fc.integer({ min: 250, max: 900 }),
        fc.boolean(),
        async (steps, cap, backwards) => {
          const tenant = `t-${randomUUID()}`;
          await budget(rig.decide, 'tenant', tenant, cap);
          await budget(rig.decide, 'tenant', tenant, 3_000, 'tokens');
          const runs: string[] = [];
          for (const _ of steps) runs.push(await openRun(rig.decide, tenant));
          const batch = await batchOf(tenant, runs, steps);
          // Accounts are opened here, so that both ways find the same ones.
          for (const run of runs) await rig.decide.query('SELECT decide.accounts_of($1)', [run]);
          const alone = await undone(async (sql) => {
            for (const { run, settlements } of batch) await settleAndReserve(sql, run, settlements, null);
            const answers = new Map<string, LedgerAnswer | null>();
            for (const { run, ask } of backwards ? [...batch].reverse() : batch)
              answers.set(run, await settleAndReserve(sql, run, [], ask));
            return { answers: batch.map(({ run }) => answers.get(run) ?? null), left: await left(sql, tenant, runs) };
          });
          const together = await undone(async (sql) => {
            const answers = reserveInFull(sql, batch);
            return { answers, left: await left(sql, tenant, runs) };
          }).catch((error: unknown) => {
            expect(error).toMatchObject({ code: 'RK001' });
            return null;
          });
          const all = alone.answers.every((answer, at) => inFull(answer, steps[at]?.output ?? -1));
          expect(together).toEqual(all ? alone : null);
          outcomes[all ? 'together' : 'refused'] += 1;
        },
      ),
      { numRuns: 80, seed: 20261124 },
    );
    expect(outcomes.together).toBeGreaterThan(15);
    expect(outcomes.refused).toBeGreaterThan(15);
    expect(await drift(rig.decide)).toEqual([]);
  }, 120_000);

  it('of one step leaves what asking and waiting leaves, whatever is settled with it, or nothing', async () => {
    const outcomes = { granted: 0, refused: 0 };
    const settled = fc.record({ ...SETTLED, known: fc.boolean(), twice: fc.boolean() });
    await fc.assert(
      fc.asyncProperty(
        fc.array(settled, { maxLength: 3 }),
        fc.integer({ min: 1, max: 600 }),
        fc.integer({ min: 150, max: 900 }),
        fc.boolean(),
        async (settles, output, cap, opened) => {
          const tenant = `t-${randomUUID()}`;
          await budget(rig.decide, 'tenant', tenant, cap);
          await budget(rig.decide, 'tenant', tenant, 2_000, 'tokens');
          const run = await openRun(rig.decide, tenant, { team: 'x' });
          await budget(rig.decide, 'run', run, 100_000);
          await budget(rig.decide, 'label', `${tenant}/team=x`, 12, 'calls');
          const settlements: Settlement[] = [];
          for (const [at, { known, twice, ...one }] of settles.entries()) {
            const settlement = await settlementAt(run, at + 1, known ? one : { ...one, before: 'none' });
            settlements.push(settlement, ...(twice ? [settlement] : []));
          }
          // Where nobody had an account opened, both ways have to.
          if (opened) await rig.decide.query('SELECT decide.accounts_of($1)', [run]);
          const step = { run: runIdOf(run), settlements, ask: askOf(9, output) };
          const waited = await undone(async (sql) => {
            const answer = await settleAndReserve(sql, step.run, settlements, step.ask);
            return { answer, left: await left(sql, tenant, [run]) };
          });
          const inOnePass = await undone(async (sql) => {
            const [answer] = reserveInFull(sql, [step]);
            return { answer, left: await left(sql, tenant, [run]) };
          }).catch((error: unknown) => {
            expect(error).toMatchObject({ code: 'RK001' });
            return null;
          });
          const granted = inFull(waited.answer, output);
          // An account that was opened here was opened twice, under another number each time.
          const comparable = ({ left: [accounts, reservations, journal], ...rest }: typeof waited) => ({
            ...rest,
            left: opened ? [accounts, reservations, journal] : [accounts, reservations.length, journal.length],
          });
          expect(inOnePass && comparable(inOnePass as typeof waited)).toEqual(granted ? comparable(waited) : null);
          outcomes[granted ? 'granted' : 'refused'] += 1;
        },
      ),
      { numRuns: 160, seed: 20261130 },
    );
    expect(outcomes.granted).toBeGreaterThan(25);
    expect(outcomes.refused).toBeGreaterThan(15);
    expect(await drift(rig.decide)).toEqual([]);
  }, 120_000);

  it('does not wait for a run that somebody else has, nor decide for another history; the others are decided', async () => {
    const opened = await Promise.all([rig.open(), rig.open(), rig.open(), rig.open()]);
    const steps = await Promise.all(
      opened.map(async ({ opened: { run }, caller }) => ({ caller, request: await modelCall(rig, run, 1) })),
    );
    const [held, foreign, ...others] = steps.map((step, at) =>
      at === 1 ? { ...step, caller: { ...step.caller, temporalRunId: randomUUID() } } : step,
    );
    if (held === undefined || foreign === undefined) throw new Error('no steps');
    await rig.as(async (sql) => {
      await sql.query('SELECT FROM decide.runs WHERE run_id = $1 FOR UPDATE', [uuidOf(held.request.run)]);
      const unknown = { ...held, request: { ...held.request, run: runIdOf(randomUUID()) } };
      const answers = await rig.as((mine) => decideInFull(mine, rig.deps, [held, foreign, unknown, ...others]));
      expect(answers.map((answer) => answer?.kind ?? null)).toEqual([null, null, null, 'decided', 'decided']);
    });
    for (const { request } of [held, foreign])
      expect(
        await rig.decide.query('SELECT FROM decide.decisions WHERE run_id = $1 AND step = 1', [uuidOf(request.run)]),
      ).toEqual([]);
  });

  it('is not spoiled for good by one that is refused: each gets the answer of its own', async () => {
    const tenant = `t-${randomUUID()}`;
    // Two calls of 200 micro-USD fit below the warning, the third does not.
    await budget(rig.decide, 'tenant', tenant, 600);
    const opened = await Promise.all(
      Array.from({ length: 4 }, () =>
        rig.open({ tenant }, { workflowId: `rok/${tenant}/${randomUUID()}`, temporalRunId: randomUUID() }),
      ),
    );
    const answers = await Promise.all(
      opened.map(async ({ opened: { run }, caller }) => rig.step(caller, await modelCall(rig, run, 1))),
    );
    const effects = answers.map((answer) => (answer.kind === 'decided' ? answer.ruling.effect : answer.kind)).sort();
    expect(effects).toEqual(['allow', 'allow', 'allow', 'deny']);
    expect(await balances(rig.decide, tenant)).toEqual({
      'tenant/usd_micros': { spent: 0n, reserved: 600n, over: 0n },
    });
    expect(await drift(rig.decide)).toEqual([]);
  });

  it('asked again gives the same answers', async () => {
    const { opened, caller } = await rig.open();
    const request = await modelCall(rig, opened.run, 1);
    const first = await rig.step(caller, request);
    expect(first).toMatchObject({ kind: 'decided', ruling: { effect: 'allow' } });
    const again = await rig.step(caller, request);
    if (first.kind !== 'decided' || again.kind !== 'decided') throw new Error('not decided');
    const { runDeadlineInMs: _one, ...told } = first;
    const { runDeadlineInMs: _other, ...toldAgain } = again;
    expect(toldAgain).toEqual(told);
  });
});
