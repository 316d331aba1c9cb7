/** One approval is for one refund: asked for twice in one run, the same refund is answered twice. */
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { WorkflowHandle } from '@temporalio/client';
import { z } from 'zod';
import { defineSkill } from '../../src/execute/skills/skill.js';
import { approveUpdate, rejectUpdate, type RunStatus } from '../../src/workflows/messages/messages.js';
import { createRig, type Rig } from './rig.js';
import { call, deployAgents, turn } from './scripted-agents.js';

const refund = call('orders.refund', { order: 'A-1002', amount_cents: 11_000, reason: 'damaged' });
const AGENTS = {
  twice: { turns: [turn([refund]), turn([refund]), turn([])], policies: ['default', 'refunds'] },
  shaky: { turns: [turn([call('shaky', {})]), turn([])], skills: ['shaky'], policies: ['default', 'ask'] },
};
const POLICIES = {
  ask: `@id("ask") @effect("pause") @authority("finance") @sla("1h")
    forbid (principal, action == Action::"skill.call", resource) unless { context.approvals.contains("finance") };`,
};

describe('an approval', () => {
  let rig: Rig;
  let folder: string;
  let calls = 0;
  /** Its first call goes wrong in a way of which nobody knows how far it came. */
  const shaky = defineSkill({
    name: 'shaky',
    version: '1',
    description: 'fails once',
    input: z.object({}),
    access: 'write',
    idempotency: 'keyed',
    timeoutMs: 5_000,
    maxOutputBytes: 1_000,
    run: () => {
      calls += 1;
      return calls === 1 ? Promise.reject(new Error('cut off')) : Promise.resolve('done');
    },
  });
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'rok-once-'));
    rig = await createRig({ env: await deployAgents(folder, AGENTS, POLICIES), extensions: { skills: [shaky] } });
  }, 60_000);
  afterAll(async () => {
    await rig.close();
    await rm(folder, { recursive: true, force: true });
  });

  const start = (agent: string, id: string) =>
    rig.start(`rok/acme/${id}`, { tenant: 'acme', agent, input: 'go', actor: { local: 'alice' } });
  const held = async (handle: WorkflowHandle, number: number) => {
    const [hold] = (await rig.status(handle, (status: RunStatus) => status.holds[0]?.hold === number)).holds;
    if (hold === undefined || hold.digest === null) throw new Error('the run is not held');
    return { actor: { local: 'bob', roles: ['approver:finance'] }, hold: hold.hold, digest: hold.digest };
  };
  const refunds = () => rig.stack.admin.query('SELECT order_id, amount_cents FROM shop.refunds');
  const usesOf = ({ workflowId }: WorkflowHandle) =>
    rig.stack.admin.query(
      `SELECT u.hold, u.step, u.attempt FROM decide.approval_uses u JOIN decide.runs r USING (run_id)
      WHERE r.workflow_id = $1 ORDER BY u.hold, u.attempt`,
      [workflowId],
    );

  it('of a refund does not make the same refund a second time: that one is asked about again', async () => {
    const handle = await start('twice', 'twice');
    const first = await held(handle, 1);
    await handle.executeUpdate(approveUpdate, { args: [first] });
    const second = await held(handle, 2);
    expect(second.digest).toBe(first.digest);
    expect(await refunds()).toHaveLength(1);
    await handle.executeUpdate(rejectUpdate, { args: [second] });
    expect(await handle.result()).toMatchObject({ outcome: 'succeeded', verdict: 'COMPLETE' });
    expect(await refunds()).toEqual([{ order_id: 'A-1002', amount_cents: 11_000n }]);
    expect(await usesOf(handle)).toEqual([{ hold: 1, step: 2, attempt: 2 }]);
  }, 60_000);

  it('given twice makes it twice', async () => {
    await rig.stack.admin.query('TRUNCATE shop.refunds');
    const handle = await start('twice', 'twice-approved');
    for (const hold of [1, 2]) await handle.executeUpdate(approveUpdate, { args: [await held(handle, hold)] });
    expect(await handle.result()).toMatchObject({ verdict: 'COMPLETE', decisions: { pause: 2 } });
    expect(await refunds()).toHaveLength(2);
    expect(await usesOf(handle)).toEqual([
      { hold: 1, step: 2, attempt: 2 },
      { hold: 2, step: 4, attempt: 2 },
    ]);
  }, 60_000);

  it('holds through the attempts of its step until one succeeds: nobody is asked again after one that went wrong', async () => {
    const handle = await start('shaky', 'shaky');
    await handle.executeUpdate(approveUpdate, { args: [await held(handle, 1)] });
    expect(await handle.result()).toMatchObject({ outcome: 'succeeded', verdict: 'COMPLETE', decisions: { pause: 1 } });
    expect(calls).toBe(2);
    expect(await usesOf(handle)).toEqual([
      { hold: 1, step: 2, attempt: 2 },
      { hold: 1, step: 2, attempt: 3 },
    ]);
  }, 60_000);
});
