/** decide.redeem, as login rok_execute on a real PostgreSQL: the only way an attempt begins. */
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { randomUUID } from 'node:crypto';
import { actionOf, createLedgerRig, openRun, redeem, reserve, settle, type LedgerRig } from './ledger-rig.js';

let rig: LedgerRig;
beforeAll(async () => {
  rig = await createLedgerRig();
});
afterAll(() => rig.close());

const attemptsOf = (run: string) =>
  rig.stack.admin.query('SELECT step, attempt, action_digest, effect, nonce FROM execute.attempts WHERE run_id = $1', [
    run,
  ]);

async function warranted(notAfter?: string): Promise<string> {
  const run = await openRun(rig.decide, `t-${randomUUID()}`);
  await reserve(rig.decide, run, 1, notAfter === undefined ? {} : { notAfter });
  return run;
}

describe('a warrant', () => {
  it('is redeemed once; the same nonce may ask again, no other', async () => {
    const run = await warranted();
    const nonce = randomUUID();
    expect(await redeem(rig.execute, run, 1, { nonce })).toBe('ok');
    expect(await redeem(rig.execute, run, 1, { nonce })).toBe('ok');
    expect(await redeem(rig.execute, run, 1)).toBe('warrant_redeemed');
    expect(await attemptsOf(run)).toEqual([
      { step: 1, attempt: 1, action_digest: actionOf(1), effect: 'allow', nonce },
    ]);
  });

  it('is redeemed by one of twenty that try at once', async () => {
    const run = await warranted();
    const answers = await Promise.all(Array.from({ length: 20 }, () => redeem(rig.execute, run, 1)));
    expect(answers.sort()).toEqual(['ok', ...Array.from({ length: 19 }, () => 'warrant_redeemed')]);
    expect(await attemptsOf(run)).toHaveLength(1);
  });

  it.each([
    ['digest_mismatch', 'for another action', (run: string) => redeem(rig.execute, run, 1, { digest: actionOf(2) })],
    ['no_warrant', 'for another step', (run: string) => redeem(rig.execute, run, 2)],
    ['no_warrant', 'for another run', () => redeem(rig.execute, randomUUID(), 1)],
  ])('is refused with %s %s, and nothing begins', async (code, _when, ask) => {
    const run = await warranted();
    expect(await ask(run)).toBe(code);
    expect(await attemptsOf(run)).toEqual([]);
    expect(await redeem(rig.execute, run, 1)).toBe('ok');
  });

  it('is refused without an action digest and without a nonce', async () => {
    const run = await warranted();
    const ask = 'SELECT answer FROM decide.redeem($1, 1, 1, $2, $3)';
    expect(await rig.execute.query(ask, [run, null, randomUUID()])).toEqual([{ answer: 'digest_mismatch' }]);
    await expect(rig.execute.query(ask, [run, actionOf(1), null])).rejects.toMatchObject({
      code: '23502',
    });
    expect(await attemptsOf(run)).toEqual([]);
  });

  it('is worth nothing once it has expired', async () => {
    const run = await warranted('-1 second');
    expect(await redeem(rig.execute, run, 1)).toBe('warrant_expired');
    expect(await attemptsOf(run)).toEqual([]);
  });

  it('is worth nothing once it was released, and settled it stays used', async () => {
    const released = await warranted();
    await settle(rig.decide, released, 1, 'released');
    expect(await redeem(rig.execute, released, 1)).toBe('warrant_released');
    expect(await attemptsOf(released)).toEqual([]);
    for (const state of ['settled', 'forfeited'] as const) {
      const run = await warranted();
      await redeem(rig.execute, run, 1);
      await settle(rig.decide, run, 1, state);
      expect(await redeem(rig.execute, run, 1)).toBe(`warrant_${state}`);
    }
  });

  it('is worth nothing once the run is latched, to the one who redeemed it neither', async () => {
    const run = await warranted();
    const nonce = randomUUID();
    expect(await redeem(rig.execute, run, 1, { nonce })).toBe('ok');
    await rig.decide.query(`UPDATE decide.runs SET phase = 'FINALIZING', outcome = 'killed' WHERE run_id = $1`, [run]);
    expect(await redeem(rig.execute, run, 1, { nonce })).toBe('run_not_executing');
  });

  it.each([
    ['all', () => ''],
    ['tenant', (tenant: string) => tenant],
    ['agent', (tenant: string) => `${tenant}/clerk`],
  ])('is worth nothing while a halt on %s is in force, and something after', async (scope, subjectOf) => {
    const run = await warranted();
    const other = await warranted();
    const [row] = await rig.decide.query<{ tenant: string }>('SELECT tenant FROM decide.runs WHERE run_id = $1', [run]);
    const [halt] = await rig.decide.query<{ halt_id: bigint }>(
      `INSERT INTO decide.halts (scope, subject, reason, set_by) VALUES ($1, $2, 'drill', 'tests') RETURNING halt_id`,
      [scope, subjectOf(row?.tenant ?? '')],
    );
    expect(await redeem(rig.execute, run, 1)).toBe('halted');
    expect(await redeem(rig.execute, other, 1)).toBe(scope === 'all' ? 'halted' : 'ok');
    expect(await attemptsOf(run)).toEqual([]);
    await rig.decide.query(`UPDATE decide.halts SET lifted_by = 'tests' WHERE halt_id = $1`, [halt?.halt_id]);
    expect(await redeem(rig.execute, run, 1)).toBe('ok');
  });

  it('that a decision did not allow begins nothing, whatever the reservation says', async () => {
    const run = await openRun(rig.decide);
    // A forged reservation beside a decision that denied the step.
    await rig.decide.query(
      `INSERT INTO decide.decisions (run_id, step, attempt, kind, target, effect, action_digest, request_digest, arguments_digest,
        context_digest, snapshot_digest, policy_set_digest, price_table_digest, body)
      VALUES ($1, 1, 1, 'model.call', 'm', 'deny', $2::text, $2::text, $2::text, $2::text, 's', 'p', 't', '{}')`,
      [run, actionOf(1)],
    );
    await rig.stack.admin.query(
      `INSERT INTO decide.reservations (run_id, step, attempt, turn, state, action_digest, not_after)
      VALUES ($1, 1, 1, 1, 'issued', $2, now() + interval '1 minute')`,
      [run, actionOf(1)],
    );
    await expect(redeem(rig.execute, run, 1)).rejects.toMatchObject({ code: '23503' });
    expect(await attemptsOf(run)).toEqual([]);
  });
});
