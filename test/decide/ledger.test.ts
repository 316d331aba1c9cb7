/** The ledger through decide.settle_and_reserve, as login rok_decide on a real PostgreSQL. */
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { randomUUID } from 'node:crypto';
import {
  balances,
  budget,
  createLedgerRig,
  drift,
  openRun,
  redeem,
  reserve,
  settle,
  type LedgerRig,
  type State,
} from './ledger-rig.js';

let rig: LedgerRig;
beforeAll(async () => {
  rig = await createLedgerRig();
});
afterAll(() => rig.close());

const balance = (spent: number, reserved: number, over = 0) => ({
  spent: BigInt(spent),
  reserved: BigInt(reserved),
  over: BigInt(over),
});

async function cappedRun(cap: number | string, profile?: 'OBSERVE_ONLY'): Promise<string> {
  const run = await openRun(rig.decide, `t-${randomUUID()}`, {}, profile);
  await budget(rig.decide, 'run', run, cap);
  return run;
}

describe('a reservation', () => {
  it('equal to the cap is allowed, one over is not, and what was refused leaves nothing', async () => {
    const run = await cappedRun(100);
    expect(await reserve(rig.decide, run, 1, { micros: 101 })).toMatchObject({
      ok: false,
      breaches: [{ scope: 'run', unit: 'usd_micros' }],
    });
    expect(await balances(rig.decide, run)).toEqual({ 'run/usd_micros': balance(0, 0) });
    expect(await rig.decide.query('SELECT 1 FROM decide.reservations WHERE run_id = $1', [run])).toEqual([]);
    expect(await rig.decide.query('SELECT 1 FROM decide.journal WHERE run_id = $1', [run])).toEqual([]);
    expect(await redeem(rig.execute, run, 1)).toBe('no_warrant');

    expect(await reserve(rig.decide, run, 2, { micros: 100 })).toMatchObject({ ok: true, micros: '100' });
    expect(await reserve(rig.decide, run, 3, { micros: 1 })).toMatchObject({ ok: false });
    expect(await balances(rig.decide, run)).toEqual({ 'run/usd_micros': balance(0, 100) });
  });

  it('of nothing is allowed at a cap of 0, of one micro it is not', async () => {
    const run = await cappedRun(0);
    expect(await reserve(rig.decide, run, 1)).toMatchObject({ ok: true });
    expect(await reserve(rig.decide, run, 2, { micros: 1 })).toMatchObject({ ok: false });
  });

  it('takes from every account of the run or from none', async () => {
    const tenant = `t-${randomUUID()}`;
    const run = await openRun(rig.decide, tenant);
    await budget(rig.decide, 'run', run, 100);
    await budget(rig.decide, 'tenant', tenant, 50);
    expect(await reserve(rig.decide, run, 1, { micros: 60 })).toMatchObject({
      ok: false,
      breaches: [{ scope: 'tenant' }],
    });
    expect(await reserve(rig.decide, run, 2, { micros: 50 })).toMatchObject({ ok: true });
    expect(await balances(rig.decide, run)).toEqual({ 'run/usd_micros': balance(0, 50) });
    expect(await balances(rig.decide, tenant)).toEqual({ 'tenant/usd_micros': balance(0, 50) });
  });

  it('grants as much output as the tightest account affords, and below the floor nothing', async () => {
    const run = await cappedRun(1_000);
    const ask = { micros: 100, askedOutput: 500, perToken: ['3', '1'] } as const;
    expect(await reserve(rig.decide, run, 1, ask)).toMatchObject({ ok: true, output_tokens: 300, micros: '1000' });
    const poor = await cappedRun(100 + 3 * 63);
    expect(await reserve(rig.decide, poor, 1, ask)).toMatchObject({ ok: false });
    // Asking for less than the floor is not a breach.
    expect(await reserve(rig.decide, poor, 2, { ...ask, askedOutput: 10 })).toMatchObject({
      ok: true,
      output_tokens: 10,
    });
  });

  it('bounds exactly where a decimal quotient would be rounded', async () => {
    // 64 tokens of 1 + 10^-24 micro cost a trace more than 64 micro.
    const perToken = [`${10n ** 24n + 1n}`, `${10n ** 24n}`] as const;
    const tight = await cappedRun(64);
    expect(await reserve(rig.decide, tight, 1, { askedOutput: 64, perToken })).toMatchObject({ ok: false });
    const enough = await cappedRun(65);
    expect(await reserve(rig.decide, enough, 1, { askedOutput: 64, perToken })).toMatchObject({
      ok: true,
      micros: '65',
    });
  });

  it('is not troubled by a cap near the end of a bigint and a tiny price', async () => {
    const run = await cappedRun('9223372036854775807');
    const ask = { askedOutput: 1_000, perToken: ['1', '1000000000'] } as const;
    expect(await reserve(rig.decide, run, 1, ask)).toMatchObject({ ok: true, output_tokens: 1_000, micros: '1' });
  });

  it('warns once, when four fifths are used', async () => {
    const run = await cappedRun(10);
    const warned = [];
    for (const step of [1, 2, 3, 4, 5])
      warned.push((await reserve(rig.decide, run, step, { micros: 2 })).warnings?.map(({ scope }) => scope));
    expect(warned).toEqual([[], [], [], ['run'], []]);
  });

  it('of 200 at once against a cap of 50 is allowed exactly 50 times', async () => {
    const tenant = `t-${randomUUID()}`;
    await budget(rig.decide, 'tenant', tenant, 50);
    const runs = await Promise.all(Array.from({ length: 20 }, () => openRun(rig.decide, tenant)));
    const answers = await Promise.all(
      runs.flatMap((run) => Array.from({ length: 10 }, (_, at) => reserve(rig.decide, run, at + 1, { micros: 1 }))),
    );
    expect(answers).toHaveLength(200);
    expect(answers.filter(({ ok }) => ok)).toHaveLength(50);
    expect(await balances(rig.decide, tenant)).toEqual({ 'tenant/usd_micros': balance(0, 50) });
    expect(await drift(rig.decide)).toEqual([]);
  });
});

describe('a settlement', () => {
  const ends: readonly (readonly [State, boolean, number, ReturnType<typeof balance>])[] = [
    ['released', false, 0, balance(0, 0)],
    ['settled', true, 70, balance(70, 0)],
    ['settled', true, 100, balance(100, 0)],
    ['forfeited', true, 0, balance(100, 0)],
    ['settled', true, 0, balance(0, 0)],
  ];
  it.each(ends)('%s (redeemed: %s, used %s) counts once', async (state, redeemed, used, after) => {
    const run = await cappedRun(1_000);
    await reserve(rig.decide, run, 1, { micros: 100 });
    if (redeemed) expect(await redeem(rig.execute, run, 1)).toBe('ok');
    expect(await settle(rig.decide, run, 1, state, used)).toEqual({ settled: 1, skipped: 0 });
    for (const again of ['settled', 'released', 'forfeited'] as const)
      expect(await settle(rig.decide, run, 1, again, 99)).toEqual({ settled: 0, skipped: 1 });
    expect(await balances(rig.decide, run)).toEqual({ 'run/usd_micros': after });
    expect(await drift(rig.decide)).toEqual([]);
  });

  it('does not fit the warrant: an issued one is not settled, a redeemed one not released', async () => {
    const run = await cappedRun(1_000);
    await reserve(rig.decide, run, 1, { micros: 100 });
    expect(await settle(rig.decide, run, 1, 'settled', 5)).toEqual({ settled: 0, skipped: 1 });
    expect(await settle(rig.decide, run, 1, 'forfeited')).toEqual({ settled: 0, skipped: 1 });
    await redeem(rig.execute, run, 1);
    expect(await settle(rig.decide, run, 1, 'released')).toEqual({ settled: 0, skipped: 1 });
    expect(await settle(rig.decide, run, 7, 'settled', 5)).toEqual({ settled: 0, skipped: 1 });
    expect(await balances(rig.decide, run)).toEqual({ 'run/usd_micros': balance(0, 100) });
  });

  it('above the bound goes to `over`, and counts against what is left', async () => {
    const run = await cappedRun(110);
    await reserve(rig.decide, run, 1, { micros: 100 });
    await redeem(rig.execute, run, 1);
    await settle(rig.decide, run, 1, 'settled', 150);
    expect(await balances(rig.decide, run)).toEqual({ 'run/usd_micros': balance(100, 0, 50) });
    expect(
      await rig.decide.query('SELECT spent_micros, over_micros FROM decide.reservations WHERE run_id = $1', [run]),
    ).toEqual([{ spent_micros: 100n, over_micros: 50n }]);
    // Ten would be left of the cap, were it not for what was taken above it: not even nothing is admitted any more.
    expect(await reserve(rig.decide, run, 2, { micros: 1 })).toMatchObject({ ok: false });
    expect(await reserve(rig.decide, run, 3)).toMatchObject({ ok: false });
    expect(await drift(rig.decide)).toEqual([]);
  });

  it('of a run that is only observed keeps the account within its cap and the rest in `over`', async () => {
    const run = await cappedRun(10, 'OBSERVE_ONLY');
    expect(await reserve(rig.decide, run, 1, { micros: 100, enforced: false })).toMatchObject({
      ok: true,
      micros: '100',
      breaches: [{ scope: 'run' }],
    });
    expect(await balances(rig.decide, run)).toEqual({ 'run/usd_micros': balance(0, 10) });
    await redeem(rig.execute, run, 1);
    await settle(rig.decide, run, 1, 'settled', 100);
    expect(await balances(rig.decide, run)).toEqual({ 'run/usd_micros': balance(10, 0, 90) });
    expect(await drift(rig.decide)).toEqual([]);
  });

  it('of any other run is held to its cap, whatever the asker says of it', async () => {
    const run = await cappedRun(10);
    for (const [step, enforced] of [false, null].entries())
      expect(await reserve(rig.decide, run, step, { micros: 11, enforced: enforced as boolean })).toMatchObject({
        ok: false,
        breaches: [{ scope: 'run' }],
      });
    expect(await balances(rig.decide, run)).toEqual({ 'run/usd_micros': balance(0, 0) });
  });
});
