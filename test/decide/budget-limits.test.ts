/** What a limit may be, at each door: null, 0, negative, NaN, fractions, and beyond 2^53. */
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { randomUUID } from 'node:crypto';
import { parseAgent } from '../../src/domain/agent.js';
import { microsFromText, microsFromUsd } from '../../src/domain/money.js';
import { parseRunSpec } from '../../src/domain/run-spec.js';
import { budget, createLedgerRig, openRun, reserve, type LedgerRig } from './ledger-rig.js';

let rig: LedgerRig;
beforeAll(async () => {
  rig = await createLedgerRig();
});
afterAll(() => rig.close());

const tenantOf = (): string => `t-${randomUUID()}`;

describe('a limit', () => {
  const spec = (limits: unknown) =>
    parseRunSpec({ tenant: 't', agent: 'a', input: 'x', actor: { local: 'l' }, limits });
  const agent = (usd: unknown) => parseAgent({ name: 'a', model: 'p/m', instructions: 'i', limits: { usd } });
  const bad = [
    null,
    -1,
    '-1',
    Number.NaN,
    'NaN',
    0.5,
    '0.5',
    '1e3',
    '',
    ' 1',
    '01',
    '9223372036854775808',
    2 ** 53 + 2,
    true,
  ];

  it.each(bad.map((value) => [value]))('in a spec is no micro-USD when it is %p', (value) => {
    expect(spec({ usdMicros: value }).ok).toBe(false);
  });
  it.each([null, -1, Number.NaN, 0.5, '1', 2 ** 53 + 2, Infinity].map((value) => [value]))(
    'in a spec is no number of tokens when it is %p',
    (value) => {
      expect(spec({ tokens: value }).ok).toBe(false);
    },
  );
  it.each([null, -1, '-1', 'NaN', 0.5, '0.0000001', '1e3', ''].map((value) => [value]))(
    'in an agent file is no USD when it is %p',
    (value) => {
      expect(agent(value).ok).toBe(false);
    },
  );
  it('of 0 is nothing, and beyond 2^53 is exact', async () => {
    expect(spec({ usdMicros: '0' }).ok).toBe(true);
    expect(microsFromText('9007199254740993')).toBe(9007199254740993n);
    expect(microsFromUsd('9007199254.740993')).toBe(9007199254740993n);
    expect(spec({ usdMicros: '9007199254740993' }).ok).toBe(true);
    const run = await openRun(rig.decide, tenantOf());
    await budget(rig.decide, 'run', run, '9007199254740993');
    expect(await reserve(rig.decide, run, 1, { micros: '9007199254740992' })).toMatchObject({ ok: true });
    expect(await reserve(rig.decide, run, 2, { micros: 2 })).toMatchObject({ ok: false });
    expect(await reserve(rig.decide, run, 3, { micros: 1 })).toMatchObject({ ok: true });
    const nothing = await openRun(rig.decide, tenantOf());
    await budget(rig.decide, 'run', nothing, 0);
    expect(await reserve(rig.decide, nothing, 1, { micros: 1 })).toMatchObject({ ok: false });
  });
  it.each([
    [null, '23502'],
    ['-1', '23514'],
    ['NaN', '22P02'],
    ['0.5', '22P02'],
    ['9223372036854775808', '22003'],
  ])('in the database is not %p', async (cap, code) => {
    const made = rig.decide.query(
      `INSERT INTO decide.budgets (scope, subject, unit, time_window, cap) VALUES ('tenant', $1, 'usd_micros', 'day', $2)`,
      [tenantOf(), cap],
    );
    await expect(made).rejects.toMatchObject({ code });
  });
});
