import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { killUpdate, type RunResult } from '../../src/workflows/messages/messages.js';
import { CONVERSATION } from './deployment.js';
import { decisionsOf, ledgerOf, verdictOf, warrantsOf } from './evidence.js';
import { createFaultRig, type FaultRig } from './rig.js';
import { until } from './until.js';
import type { WorkerProcess } from './worker-process.js';

describe('an execute worker is stopped with a warrant in its hands, and woken after the run was killed', () => {
  let rig: FaultRig;
  let zombie: WorkerProcess;
  let result: RunResult;

  /** Statements of execute's login that wait for a lock: a redeem that cannot insert its attempt. */
  const waiting = async (): Promise<number> => {
    const [row] = await rig.stack.admin.query<{ count: bigint }>(
      `SELECT count(*) FROM pg_stat_activity
       WHERE datname = current_database() AND usename = 'rok_execute' AND wait_event_type = 'Lock' AND query LIKE '%decide.redeem%'`,
    );
    return Number(row?.count);
  };

  beforeAll(async () => {
    rig = await createFaultRig(CONVERSATION);
    // Half of the grace is the close's budget, and a quarter of that is waited for an executor that is not there.
    await rig.terms('acme', '1 hour', '20 seconds');
    [zombie] = await Promise.all([rig.worker(['execute']), rig.worker(['control', 'audit'])]);
    const handle = await rig.stack.admin.transaction(async (sql) => {
      // Reading goes on; beginning an attempt does not.
      await sql.query('LOCK TABLE execute.attempts IN SHARE ROW EXCLUSIVE MODE');
      const started = await rig.start('rok/acme/zombie');
      await until('a redeem that waits', async () => ((await waiting()) > 0 ? true : null));
      zombie.freeze();
      // PostgreSQL itself goes on: it gives up the wait, and the frozen worker does not hear of it.
      await until('the end of that wait', async () => ((await waiting()) === 0 ? true : null));
      return started;
    });
    await handle.executeUpdate(killUpdate, { args: [{ actor: { local: 'op', roles: ['operator'] } }] });
    result = await handle.result();
    zombie.wake();
    await until('what the woken worker does', () => zombie.lines.find((line) => line.includes('warrant refused')));
  }, 240_000);
  afterAll(() => rig.close());

  it('the run was killed, and nothing was called for it', () => {
    expect({
      phase: result.phase,
      outcome: result.outcome,
      attempts: result.attempts,
      spent: result.spentMicros,
    }).toEqual({
      phase: 'FAILED',
      outcome: 'killed',
      attempts: 0,
      spent: '0',
    });
  });

  it('the woken worker calls nobody: no request, no attempt, and the reservation is released', async () => {
    expect(rig.requests()).toEqual([]);
    expect(await rig.stack.admin.query('SELECT * FROM execute.attempts')).toEqual([]);
    expect(await warrantsOf(rig.stack, result.run)).toEqual([
      { at: '1.1', kind: 'model.call', state: 'released', result: null, spent: 0n },
    ]);
    expect(await ledgerOf(rig.stack, result.run)).toEqual({ spent: 0n, reserved: 0n, over: 0n, drift: [] });
    expect(await decisionsOf(rig.stack, result.run)).toEqual([
      '0.1 run.start allow',
      '1.1 model.call allow',
      '2.1 run.outcome allow',
    ]);
  });

  it('the verdict says what was missing while no executor was there to close', async () => {
    expect(await verdictOf(rig.stack, result.run)).toMatchObject({
      status: 'INCOMPLETE',
      revision: 1,
      blocking: ['MISMATCH outcome', 'MISSING incidents/create_incident', 'MISSING policies/evaluate_policy'],
      notes: [],
    });
  });
});
