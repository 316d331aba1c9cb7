import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { fileURLToPath } from 'node:url';
import { Worker } from '@temporalio/worker';
import { approveUpdate, type RunResult } from '../../src/workflows/messages/messages.js';
import { uuidOf } from '../../src/domain/ids.js';
import { recordIfAsked } from '../histories/recording.js';
import { createRig, type Rig } from './rig.js';

describe('a governed run of the refund desk', () => {
  let rig: Rig;
  let result: RunResult;

  beforeAll(async () => {
    rig = await createRig();
    const handle = await rig.start('rok/acme/refunds', {
      tenant: 'acme',
      agent: 'refund-desk',
      input: 'Please handle the refunds of A-1001, A-1002 and A-1003.',
      actor: { local: 'alice' },
    });
    const [hold] = (await rig.status(handle, (status) => status.holds.length > 0)).holds;
    if (hold === undefined || hold.digest === null) throw new Error('the run is not held');
    const bob = { actor: { local: 'bob', roles: ['approver:finance'] }, hold: hold.hold, digest: hold.digest };
    await handle.executeUpdate(approveUpdate, { args: [bob] });
    result = await handle.result();
    await recordIfAsked('demo', handle);
  }, 60_000);
  afterAll(() => rig.close());

  it('ends succeeded and COMPLETE, with its decisions counted', () => {
    expect(result).toEqual({
      run: expect.stringMatching(/^run_/),
      phase: 'COMPLETED',
      outcome: 'succeeded',
      detail: '',
      verdict: 'COMPLETE',
      receipt: 1,
      decisions: { allow: 13, deny: 1, pause: 1 },
      refusedCalls: 1,
      attempts: 11,
      spentMicros: '1152',
      traceEvents: 32,
      answer: expect.stringMatching(/^[0-9a-f]{64}$/),
    });
  });

  it('keeps what kind of workflow it was, and the digest of its answer', async () => {
    const rows = await rig.stack.admin.query('SELECT kind, answer FROM decide.v_runs WHERE run_id = $1', [
      uuidOf(result.run),
    ]);
    expect(rows).toEqual([{ kind: 'governedRun', answer: result.answer }]);
  });

  it('really refunded what was allowed and approved, and nothing else', async () => {
    const refunds = await rig.stack.admin.query('SELECT order_id, amount_cents FROM shop.refunds ORDER BY order_id');
    expect(refunds).toEqual([
      { order_id: 'A-1001', amount_cents: 1200n },
      { order_id: 'A-1002', amount_cents: 49000n },
    ]);
  });

  it('replays from its history', async () => {
    const history = await rig.client.workflow.getHandle('rok/acme/refunds').fetchHistory();
    const workflowsPath = fileURLToPath(new URL('../../src/workflows/index.ts', import.meta.url));
    await expect(Worker.runReplayHistory({ workflowsPath }, history)).resolves.toBeUndefined();
  }, 30_000);

  it('leaves nothing reserved and a journal that sums to the balances', async () => {
    const accounts = await rig.stack.admin.query(
      `SELECT unit, spent, reserved, over FROM decide.accounts WHERE subject = $1 ORDER BY unit`,
      [uuidOf(result.run)],
    );
    expect(accounts).toEqual([
      { unit: 'tokens', spent: 5136n, reserved: 0n, over: 0n },
      { unit: 'usd_micros', spent: 1152n, reserved: 0n, over: 0n },
    ]);
    expect(await rig.stack.admin.query('SELECT * FROM decide.v_drift')).toEqual([]);
  });
});
