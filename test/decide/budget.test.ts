/** Budgets: every scope, unit and window, and what a changed cap does. On a real PostgreSQL. */
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
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
  standAt,
  type LedgerRig,
  type Scope,
} from './ledger-rig.js';

let rig: LedgerRig;
beforeAll(async () => {
  rig = await createLedgerRig();
});
afterEach(() => standAt(rig.stack.admin, null));
afterAll(() => rig.close());

const tenantOf = (): string => `t-${randomUUID()}`;
const setCap = (subject: string, cap: number | string) =>
  rig.stack.admin.query('UPDATE decide.budgets SET cap = $2 WHERE subject = $1', [subject, cap]);
const windows = (subject: string) =>
  rig.decide.query(
    'SELECT window_start, cap, ceiling, spent, reserved, over FROM decide.accounts WHERE subject = $1 ORDER BY window_start',
    [subject],
  );
const row = (windowStart: string, cap: bigint, spent: bigint, reserved: bigint, ceiling = cap, over = 0n) => ({
  window_start: windowStart,
  cap,
  ceiling,
  spent,
  reserved,
  over,
});

describe('an account', () => {
  const subjects: Readonly<Record<Scope, (tenant: string, run: string) => string>> = {
    all: () => '',
    tenant: (tenant) => tenant,
    agent: (tenant) => `${tenant}/clerk`,
    run: (_, run) => run,
    label: (tenant) => `${tenant}/team=support`,
  };
  it.each(Object.keys(subjects) as Scope[])(
    'of scope %s limits the runs that fall under it, and no other',
    async (scope) => {
      const tenant = tenantOf();
      const run = await openRun(rig.decide, tenant, { team: 'support' });
      const other = await openRun(rig.decide, tenantOf(), { team: 'support' });
      const subject = subjects[scope](tenant, run);
      await budget(rig.decide, scope, subject, 10);
      expect(await reserve(rig.decide, run, 1, { micros: 11 })).toMatchObject({
        ok: false,
        breaches: [{ scope, subject }],
      });
      expect(await reserve(rig.decide, run, 2, { micros: 10 })).toMatchObject({ ok: true });
      expect(await reserve(rig.decide, other, 1, { micros: 10 })).toMatchObject({ ok: scope !== 'all' });
      if (scope === 'all') await setCap('', '9223372036854775807');
    },
  );

  it.each([
    ['usd_micros', { micros: 3 }, 3n],
    ['tokens', { inputTokens: 2, askedOutput: 1 }, 3n],
    ['calls', {}, 1n],
  ] as const)('counts %s', async (unit, ask, taken) => {
    const tenant = tenantOf();
    const run = await openRun(rig.decide, tenant);
    await budget(rig.decide, 'tenant', tenant, taken.toString(), unit);
    expect(await reserve(rig.decide, run, 1, ask)).toMatchObject({ ok: true });
    expect(await reserve(rig.decide, run, 2, ask)).toMatchObject({ ok: false, breaches: [{ unit }] });
    expect(await balances(rig.decide, tenant)).toEqual({
      [`tenant/${unit}`]: { spent: 0n, reserved: taken, over: 0n },
    });
  });

  it('that cannot take it is named beside every other that cannot, the narrowest first', async () => {
    const tenant = tenantOf();
    const run = await openRun(rig.decide, tenant, { team: 'x' });
    await budget(rig.decide, 'tenant', tenant, 5);
    await budget(rig.decide, 'label', `${tenant}/team=x`, 50);
    await budget(rig.decide, 'run', run, 5);
    const answer = await reserve(rig.decide, run, 1, { micros: 6 });
    expect(answer.breaches?.map(({ scope }) => scope)).toEqual(['run', 'tenant']);
    expect(await balances(rig.decide, `${tenant}/team=x`)).toEqual({
      'label/usd_micros': { spent: 0n, reserved: 0n, over: 0n },
    });
  });
});

describe('a window', () => {
  it.each([
    ['day', '2026-11-23T23:59:59.999999Z', '2026-11-23T00:00:00.000000Z', '2026-11-24T00:00:00.000000Z'],
    ['month', '2024-02-29T23:59:59.999999Z', '2024-02-01T00:00:00.000000Z', '2024-03-01T00:00:00.000000Z'],
    ['month', '2026-12-31T23:59:59.999999Z', '2026-12-01T00:00:00.000000Z', '2027-01-01T00:00:00.000000Z'],
    // Local midnight is not midnight.
    ['day', '2026-11-24T00:30:00+02:00', '2026-11-23T00:00:00.000000Z', '2026-11-24T00:00:00.000000Z'],
  ] as const)(
    'of a %s: reserved at %s, settled after its end, is settled where it was reserved',
    async (window, at, first, next) => {
      const tenant = tenantOf();
      const run = await openRun(rig.decide, tenant);
      await budget(rig.decide, 'tenant', tenant, 100, 'usd_micros', window);
      await standAt(rig.stack.admin, at);
      expect(await reserve(rig.decide, run, 1, { micros: 100 })).toMatchObject({ ok: true });
      expect(await reserve(rig.decide, run, 2, { micros: 1 })).toMatchObject({ ok: false });
      await redeem(rig.execute, run, 1);
      await standAt(rig.stack.admin, next);
      expect(await reserve(rig.decide, run, 3, { micros: 60 })).toMatchObject({ ok: true });
      await settle(rig.decide, run, 1, 'settled', 70);
      expect(await windows(tenant)).toEqual([row(first, 100n, 70n, 0n), row(next, 100n, 0n, 60n)]);
      expect(await drift(rig.decide)).toEqual([]);
    },
  );

  it('that was never looked at is opened with the cap of its time', async () => {
    const tenant = tenantOf();
    const run = await openRun(rig.decide, tenant);
    await budget(rig.decide, 'tenant', tenant, 10, 'usd_micros', 'day');
    await standAt(rig.stack.admin, '2026-05-01T12:00:00Z');
    await reserve(rig.decide, run, 1, { micros: 10 });
    await setCap(tenant, 20);
    await standAt(rig.stack.admin, '2026-05-03T12:00:00Z');
    await setCap(tenant, 30);
    expect(await reserve(rig.decide, run, 2, { micros: 30 })).toMatchObject({ ok: true });
    expect(await windows(tenant)).toEqual([
      row('2026-05-01T00:00:00.000000Z', 20n, 0n, 10n),
      row('2026-05-03T00:00:00.000000Z', 30n, 0n, 30n),
    ]);
  });
});

describe('a changed cap', () => {
  it('reaches the account that exists: raised, more is admitted at once', async () => {
    const run = await openRun(rig.decide, tenantOf());
    await budget(rig.decide, 'run', run, 10);
    await reserve(rig.decide, run, 1, { micros: 10 });
    expect(await reserve(rig.decide, run, 2, { micros: 5 })).toMatchObject({ ok: false });
    await setCap(run, 15);
    expect(await reserve(rig.decide, run, 3, { micros: 5 })).toMatchObject({ ok: true });
    expect(await drift(rig.decide)).toEqual([]);
  });

  it('lowered below what is spent and reserved takes nothing back and admits nothing new', async () => {
    const run = await openRun(rig.decide, tenantOf());
    await budget(rig.decide, 'run', run, 100);
    await reserve(rig.decide, run, 1, { micros: 50 });
    await reserve(rig.decide, run, 2, { micros: 40 });
    await redeem(rig.execute, run, 1);
    await setCap(run, 20);
    const start = '1970-01-01T00:00:00.000000Z';
    expect(await windows(run)).toEqual([row(start, 20n, 0n, 90n, 90n)]);
    expect(await reserve(rig.decide, run, 3)).toMatchObject({ ok: false });
    await settle(rig.decide, run, 1, 'settled', 10);
    expect(await windows(run)).toEqual([row(start, 20n, 10n, 40n, 50n)]);
    await settle(rig.decide, run, 2, 'released');
    expect(await windows(run)).toEqual([row(start, 20n, 10n, 0n)]);
    expect(await reserve(rig.decide, run, 4, { micros: 11 })).toMatchObject({ ok: false });
    expect(await reserve(rig.decide, run, 5, { micros: 10 })).toMatchObject({ ok: true });
    expect(await drift(rig.decide)).toEqual([]);
  });

  it('is not lost to an account that is opened at the same moment', async () => {
    for (let round = 0; round < 30; round += 1) {
      const tenant = tenantOf();
      const run = await openRun(rig.decide, tenant);
      await budget(rig.decide, 'tenant', tenant, 100);
      await Promise.all([reserve(rig.decide, run, 1, { micros: 1 }), setCap(tenant, 7)]);
      expect(await windows(tenant)).toEqual([row('1970-01-01T00:00:00.000000Z', 7n, 0n, 1n)]);
    }
    expect(await drift(rig.decide)).toEqual([]);
  });
});

describe('what a provider took above its grant', () => {
  it('is not there for anybody else of the tenant', async () => {
    const tenant = tenantOf();
    const [run, other] = [await openRun(rig.decide, tenant), await openRun(rig.decide, tenant)];
    await budget(rig.decide, 'tenant', tenant, 200);
    await reserve(rig.decide, run, 1, { micros: 100 });
    await redeem(rig.execute, run, 1);
    await settle(rig.decide, run, 1, 'settled', 190);
    expect(await reserve(rig.decide, other, 1, { micros: 11 })).toMatchObject({ ok: false });
    expect(await reserve(rig.decide, other, 2, { micros: 10 })).toMatchObject({ ok: true });
    expect(await balances(rig.decide, tenant)).toEqual({
      'tenant/usd_micros': { spent: 100n, reserved: 10n, over: 90n },
    });
  });

  it.each(['-1', '0.5', 'NaN', '1000000000000001', '1e40', 'Infinity'])(
    'and cannot be counted (%s) is a forfeit that says so, never an exception',
    async (micros) => {
      const run = await openRun(rig.decide, tenantOf());
      await budget(rig.decide, 'run', run, 1_000);
      await reserve(rig.decide, run, 1, { micros: 100 });
      await redeem(rig.execute, run, 1);
      expect(await settle(rig.decide, run, 1, 'settled', micros)).toEqual({ settled: 1, skipped: 0 });
      expect(await balances(rig.decide, run)).toEqual({ 'run/usd_micros': { spent: 100n, reserved: 0n, over: 1n } });
      expect(
        await rig.decide.query('SELECT state, spent_micros, over_micros FROM decide.reservations WHERE run_id = $1', [
          run,
        ]),
      ).toEqual([{ state: 'forfeited', spent_micros: 100n, over_micros: 1n }]);
      expect(await drift(rig.decide)).toEqual([]);
    },
  );
});

describe('an OBSERVE_ONLY run beside an enforced one on a tenant account', () => {
  it('is never refused or shortened, and takes what the enforced one may not take any more', async () => {
    const tenant = tenantOf();
    const observed = await openRun(rig.decide, tenant, {}, 'OBSERVE_ONLY');
    const strict = await openRun(rig.decide, tenant);
    await budget(rig.decide, 'tenant', tenant, 1_000);
    expect(await reserve(rig.decide, strict, 1, { micros: 300 })).toMatchObject({ ok: true });
    const open = { enforced: false, askedOutput: 900, perToken: ['1', '1'] } as const;
    expect(await reserve(rig.decide, observed, 1, open)).toMatchObject({ ok: true, output_tokens: 900, micros: '900' });
    expect(await balances(rig.decide, tenant)).toEqual({
      'tenant/usd_micros': { spent: 0n, reserved: 1_000n, over: 0n },
    });
    expect(await reserve(rig.decide, strict, 2, { micros: 1 })).toMatchObject({ ok: false });
    await redeem(rig.execute, observed, 1);
    await settle(rig.decide, observed, 1, 'settled', 900);
    // 700 of it fitted, 200 are what an enforced cap would have refused.
    expect(await balances(rig.decide, tenant)).toEqual({
      'tenant/usd_micros': { spent: 700n, reserved: 300n, over: 200n },
    });
    await settle(rig.decide, strict, 1, 'released');
    // 300 were given back, but 200 of them are gone.
    expect(await reserve(rig.decide, strict, 3, { micros: 101 })).toMatchObject({ ok: false });
    expect(await reserve(rig.decide, strict, 4, { micros: 100 })).toMatchObject({ ok: true });
    expect(await drift(rig.decide)).toEqual([]);
  });
});
