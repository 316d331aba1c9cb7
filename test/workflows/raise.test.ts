/** A run that waits for a budget and goes on in place when it is raised, through whole runs. */
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { WorkflowUpdateFailedError, type WorkflowHandle } from '@temporalio/client';
import { randomUUID } from 'node:crypto';
import { readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { messageDigest } from '../../src/domain/protocol/message.js';
import { raiseDigest, type BudgetRaise } from '../../src/domain/protocol/raise.js';
import { raiseBudgetUpdate, type RunStatus } from '../../src/workflows/messages/messages.js';
import { temporaryFolder } from '../stack/servers.js';
import { createRig, type Rig } from './rig.js';
import { call, deployAgents, turn } from './scripted-agents.js';
import { createAssertions, type Assertions } from './signing.js';

const look = turn([call('orders.lookup', { order: 'A-1001' })]);
const AGENTS = {
  buyer: { turns: [look, turn([])] },
  patient: { turns: [{ ...look, latencyMs: 2_000 }, turn([])] },
};
const BOB = { local: 'bob', roles: ['approver:finance'] };

describe('a run that waits for a budget', () => {
  let rig: Rig;
  let folder: string;
  let assertions: Assertions;
  beforeAll(async () => {
    folder = await temporaryFolder('raise');
    const env = await deployAgents(folder, AGENTS);
    // Not free, so that what is spent can be told.
    const prices = JSON.parse(await readFile(env['ROK_PRICES'] ?? '', 'utf8')) as Record<string, object>;
    const priced = { ...prices, 'scripted/buyer': { input_cost_per_token: 1e-6, output_cost_per_token: 1e-6 } };
    await writeFile(env['ROK_PRICES'] ?? '', JSON.stringify(priced));
    assertions = await createAssertions(join(folder, 'keys.json'));
    rig = await createRig({ env: { ...env, ROK_JWKS: assertions.keySet } });
  }, 60_000);
  afterAll(async () => {
    await rig.close();
    await rm(folder, { recursive: true, force: true });
  });

  /** Of a tenant of its own, which may call once. */
  const startRun = async (agent: keyof typeof AGENTS) => {
    const tenant = `t-${randomUUID()}`;
    await rig.stack.admin.query(
      `INSERT INTO decide.budgets (scope, subject, unit, time_window, cap, on_breach) VALUES ('tenant', $1, 'calls', 'forever', 1, 'pause')`,
      [tenant],
    );
    const spec = { tenant, agent, input: 'go', actor: { local: 'alice' } };
    return { tenant, handle: await rig.start(`rok/${tenant}/a`, spec) };
  };
  const heldRun = async () => {
    const { tenant, handle } = await startRun('buyer');
    const { holds, run } = await rig.status(handle, (status: RunStatus) => status.holds[0]?.reason === 'BUDGET');
    const [hold] = holds;
    if (hold === undefined || run === null) throw new Error('the run is not held');
    return { tenant, handle, uuid: run.slice(4), hold: hold.hold };
  };
  const of = (tenant: string, over: Partial<BudgetRaise> = {}): BudgetRaise => ({
    scope: 'tenant',
    subject: tenant,
    unit: 'calls',
    window: 'forever',
    from: '1',
    to: '100',
    reason: 'go on',
    ...over,
  });
  const raise = (handle: WorkflowHandle, message: BudgetRaise, actor: object = BOB, updateId: string = randomUUID()) =>
    handle.executeUpdate(raiseBudgetUpdate, { args: [{ ...message, actor: actor as never }], updateId });
  const whyNot = async (asked: Promise<unknown>): Promise<string> => {
    const error: unknown = await asked.then(
      () => new Error('it was not refused'),
      (reason: unknown) => reason,
    );
    return error instanceof WorkflowUpdateFailedError ? (error.cause?.message ?? '') : String(error);
  };
  const one = async <T extends object>(text: string, ...values: readonly unknown[]): Promise<T | undefined> =>
    (await rig.stack.admin.query<T>(text, values))[0];

  /** Of the holds that it waited in. */
  const timersOf = async (handle: WorkflowHandle) => {
    const { events } = await handle.fetchHistory();
    const summaries = (events ?? []).map((event) => Buffer.from(event.userMetadata?.summary?.data ?? []).toString());
    return summaries.filter((summary) => summary.includes('awaiting an answer by finance'));
  };

  it('goes on in place when finance raises it, and is COMPLETE with a receipt', async () => {
    const { handle, tenant, uuid, hold } = await heldRun();
    const asked = of(tenant);
    const actor = await assertions.claim({
      workflow: handle.workflowId,
      verb: 'raise_budget',
      sub: 'bob',
      roles: ['approver:finance'],
      update: 'raise-1',
      action: raiseDigest(asked),
    });
    expect(await whyNot(raise(handle, { ...asked, to: '101' }, actor, 'raise-2'))).toBe(
      'the assertion is for another update',
    );
    expect(await raise(handle, asked, actor, 'raise-1')).toEqual({
      actor: 'bob',
      cap: '100',
      holds: [hold],
    });
    expect(await handle.result()).toMatchObject({
      outcome: 'succeeded',
      verdict: 'COMPLETE',
      decisions: { pause: 1, deny: 0 },
      attempts: 3,
    });
    const events = await rig.stack.admin.query<{ kind: string; event_id: string }>(
      `SELECT kind, event_id FROM observe.events WHERE run_id = $1 AND (kind LIKE 'hold.%' OR kind = 'budget.raised') ORDER BY seq`,
      [uuid],
    );
    expect(events).toEqual([
      { kind: 'hold.opened', event_id: `hold.${hold}.opened` },
      { kind: 'budget.raised', event_id: `act.${messageDigest('raise-1')}` },
      { kind: 'hold.resolved', event_id: `hold.${hold}.resolved` },
    ]);
    expect(
      await one('SELECT ok, detail FROM audit.approval_checks WHERE run_id = $1 AND update_id = $2', uuid, 'raise-1'),
    ).toEqual({ ok: true, detail: 'verified' });
    expect(await timersOf(handle)).not.toEqual([]);
    expect(await one('SELECT status FROM audit.v_verdicts WHERE run_id = $1', uuid)).toEqual({ status: 'COMPLETE' });
    expect(await one('SELECT count(*)::int AS n FROM audit.receipts WHERE run_id = $1', uuid)).toEqual({ n: 1 });
    expect(await one('SELECT spent, reserved, over, cap FROM decide.accounts WHERE subject = $1', tenant)).toEqual({
      spent: 3n,
      reserved: 0n,
      over: 0n,
      cap: 100n,
    });
  }, 60_000);

  it('waits on where the requester, the wrong role or the wrong cap asks; what is malformed leaves no history', async () => {
    const { handle, tenant, uuid, hold } = await heldRun();
    expect(await whyNot(raise(handle, of(tenant), { local: 'alice', roles: ['approver:finance'] }))).toBe(
      '`local:alice` may not raise_budget: who asked for the run does not answer for it (access.four_eyes)',
    );
    expect(await whyNot(raise(handle, of(tenant), { local: 'olga', roles: ['operator'] }))).toBe(
      '`local:olga` may not raise_budget: needs role approver:finance or role admin (grants/budget.raise)',
    );
    expect(await whyNot(raise(handle, of(tenant, { from: '2' })))).toBe(
      '`local:bob` may not raise_budget: the cap is 1, and the raise was based on 2 (budget.moved)',
    );
    expect(await whyNot(raise(handle, of('acme')))).toBe(
      '`local:bob` may not raise_budget: the run falls under no such budget (budget.unknown)',
    );
    const before = (await handle.fetchHistory()).events?.length;
    expect(await whyNot(raise(handle, of(tenant, { to: '1' })))).toBe('a raise is to more than it is from');
    expect(await whyNot(raise(handle, of(tenant), {}))).toBe('an actor is needed: { assertion } or { local, roles? }');
    expect((await handle.fetchHistory()).events?.length).toBe(before);
    expect(await rig.status(handle, () => true)).toMatchObject({ holds: [{ hold, reason: 'BUDGET' }] });
    // Enough for the second of three calls: it waits again, and the next raise is based on the new cap.
    expect(await raise(handle, of(tenant, { to: '2' }))).toMatchObject({ holds: [hold] });
    await rig.status(handle, (status) => (status.holds[0]?.hold ?? 0) > hold);
    await raise(handle, of(tenant, { from: '2', to: '3' }));
    expect(await handle.result()).toMatchObject({
      outcome: 'succeeded',
      verdict: 'COMPLETE',
      decisions: { pause: 2 },
    });
    const raises = await rig.stack.admin.query(
      'SELECT from_cap, to_cap FROM decide.raises WHERE run_id = $1 ORDER BY at',
      [uuid],
    );
    expect(raises).toEqual([
      { from_cap: 1n, to_cap: 2n },
      { from_cap: 2n, to_cap: 3n },
    ]);
  }, 60_000);

  it('goes on where the raise came between the decision to pause and the waiting for it', async () => {
    const { tenant, handle } = await startRun('patient');
    const until = async (seen: () => Promise<boolean>) => {
      while (!(await seen())) await new Promise((resolve) => setTimeout(resolve, 50));
    };
    const called = `SELECT FROM execute.attempts JOIN decide.runs r USING (run_id) WHERE r.tenant = $1`;
    await until(async () => (await one(called, tenant)) !== undefined);
    const stuck = `SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`;
    let raising: Promise<unknown> = Promise.resolve();
    await rig.stack.admin.transaction(async (sql) => {
      // Nothing of the run is decided meanwhile: its next step is asked for again and again, and the raise waits its turn.
      await sql.query('SELECT FROM decide.runs WHERE tenant = $1 FOR NO KEY UPDATE', [tenant]);
      await until(async () => (await one(stuck)) !== undefined);
      raising = raise(handle, of(tenant));
      await until(async () => {
        const { events } = await handle.fetchHistory();
        return events?.some((event) => Boolean(event.workflowExecutionUpdateAcceptedEventAttributes)) ?? false;
      });
    });
    expect(await raising).toMatchObject({ holds: [1] });
    expect(await handle.result()).toMatchObject({ outcome: 'succeeded', verdict: 'COMPLETE', decisions: { pause: 1 } });
    // It was answered before it waited: no timer was ever set for it.
    expect(await timersOf(handle)).toEqual([]);
  }, 60_000);

  it('leaves the ledger without drift, and histories that replay', async () => {
    expect(await rig.stack.admin.query('SELECT * FROM decide.v_drift')).toEqual([]);
    expect(await rig.stack.admin.query('SELECT * FROM decide.v_overspent')).toEqual([]);
    expect(await rig.replayAll()).toBe(3);
  }, 60_000);
});
