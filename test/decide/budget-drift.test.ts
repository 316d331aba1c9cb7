/** Journal, balances, caps and open reservations agree, or it is seen: each with a planted offender. */
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { randomUUID } from 'node:crypto';
import { budget, createLedgerRig, drift, openRun, reserve, type LedgerRig } from './ledger-rig.js';

let rig: LedgerRig;
beforeAll(async () => {
  rig = await createLedgerRig();
});
afterAll(() => rig.close());

const tenantOf = (): string => `t-${randomUUID()}`;

describe('planted: what does not agree is seen', () => {
  const planted: readonly (readonly [string, string, string])[] = [
    ['a balance without an entry', 'UPDATE decide.accounts SET spent = spent + 1 WHERE subject = $1', 'spent'],
    ['a reserve without an entry', 'UPDATE decide.accounts SET reserved = reserved + 1 WHERE subject = $1', 'reserved'],
    ['an overrun that was taken away', 'UPDATE decide.accounts SET over = over + 1 WHERE subject = $1', 'over'],
    ['a cap that nobody changed', 'UPDATE decide.accounts SET cap = cap - 1 WHERE subject = $1', 'cap'],
    [
      'an entry without a balance',
      `INSERT INTO decide.journal (account_id, run_id, step, attempt, op, spent)
        SELECT account_id, subject::uuid, 1, 1, 'settle', 1 FROM decide.accounts WHERE subject = $1`,
      'spent',
    ],
  ];
  it.each(planted)('%s', async (_name, offence, what) => {
    const run = await openRun(rig.decide, tenantOf());
    await budget(rig.decide, 'run', run, 100);
    await reserve(rig.decide, run, 1, { micros: 10 });
    const { admin } = rig.stack;
    const seen: unknown[] = [];
    await admin
      .transaction(async (sql) => {
        await sql.query(offence, [run]);
        seen.push(...(await sql.query('SELECT what FROM decide.v_drift WHERE subject = $1', [run])));
        throw new Error('undone');
      })
      .catch(() => undefined);
    expect(seen).toEqual([{ what }]);
    expect(await drift(rig.decide)).toEqual([]);
  });

  it('an admission above the cap is seen though it was given back since', async () => {
    const run = await openRun(rig.decide, tenantOf());
    await budget(rig.decide, 'run', run, 100);
    await reserve(rig.decide, run, 1, { micros: 10 });
    const seen: unknown[] = [];
    await rig.stack.admin
      .transaction(async (sql) => {
        for (const reserved of [91, -91])
          await sql.query(
            `INSERT INTO decide.journal (account_id, run_id, step, attempt, op, reserved)
            SELECT account_id, subject::uuid, 9, 1, CASE WHEN $2 > 0 THEN 'reserve' ELSE 'release' END, $2
            FROM decide.accounts WHERE subject = $1`,
            [run, reserved],
          );
        seen.push(...(await sql.query('SELECT admitted::int, cap FROM decide.v_overspent')));
        throw new Error('undone');
      })
      .catch(() => undefined);
    expect(seen).toEqual([{ admitted: 101, cap: 100n }]);
  });

  it('the journal is neither changed nor emptied', async () => {
    const { admin } = rig.stack;
    for (const text of ['UPDATE decide.journal SET spent = 0', 'DELETE FROM decide.journal', 'TRUNCATE decide.journal'])
      await expect(admin.query(text)).rejects.toMatchObject({ code: '55000' });
  });
});
