/** What a run did before decides what it may do next: a loop is held, and B waits for A, through whole runs. */
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { approveUpdate, cancelUpdate, rejectUpdate } from '../../src/workflows/messages/messages.js';
import { createRig, type Rig } from './rig.js';
import { call, deployAgents, turn } from './scripted-agents.js';

const look = (order: string) => call('orders.lookup', { order: order });
const refund = call('orders.refund', { order: 'A-1001', amount_cents: 100, reason: 'it came broken' });
const AGENTS = {
  // The same question for ever, the model's words between them not counted.
  circler: { policies: ['default'], turns: [...Array.from({ length: 12 }, () => turn([look('A-1001')])), turn([])] },
  // It never finds the skill, and its provider gives each call an id of its own; nothing is ever called.
  stumbler: {
    policies: ['default'],
    turns: [
      ...Array.from({ length: 12 }, (_, at) =>
        turn([{ ...call('orders.find', { order: 'A-1001' }), id: `call_x${at}` }]),
      ),
      turn([]),
    ],
  },
  walker: {
    policies: ['default'],
    turns: [...['A-1001', 'A-1002'].flatMap((id) => Array.from({ length: 4 }, () => turn([look(id)]))), turn([])],
  },
  // Both in one turn, then the second once more.
  careful: { policies: ['default', 'order'], turns: [turn([look('A-1001'), refund]), turn([refund]), turn([])] },
};
const ORDER = `@id("look-first") @reason("look it up first")
  forbid (principal, action == Action::"skill.call", resource == Skill::"orders.refund")
  unless { context.counters.lastSuccess has "orders.lookup" };`;

describe('what was before', () => {
  let rig: Rig;
  let folder: string;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'rok-history-'));
    rig = await createRig({ env: await deployAgents(folder, AGENTS, { order: ORDER }) });
  }, 60_000);
  afterAll(async () => {
    await rig.close();
    await rm(folder, { recursive: true, force: true });
  });

  const OLGA = { local: 'olga', roles: ['operator'] };
  const start = (agent: string, id: string) =>
    rig.start(`rok/acme/${id}`, { tenant: 'acme', agent, input: 'go', actor: { local: 'alice' } });
  const held = async (handle: Awaited<ReturnType<typeof start>>, after = 0) => {
    const [hold] = (await rig.status(handle, (status) => (status.holds[0]?.hold ?? 0) > after)).holds;
    if (hold === undefined || hold.digest === null) throw new Error('the run is not held');
    return { reason: hold.reason, authority: hold.authority, hold: hold.hold, digest: hold.digest };
  };
  const skillCalls = async (id: string) => {
    const [row] = await rig.stack.admin.query<{ calls: number }>(
      `SELECT count(*)::int AS calls FROM execute.results t JOIN decide.decisions d USING (run_id, step, attempt)
      JOIN decide.runs r USING (run_id) WHERE r.workflow_id = $1 AND d.kind = 'skill.call' AND t.status = 'succeeded'`,
      [`rok/acme/${id}`],
    );
    return row?.calls;
  };

  it('five equal calls with equal results hold the run; approved, it may do five more; rejected, it ends', async () => {
    const handle = await start('circler', 'circle');
    const first = await held(handle);
    expect(first).toMatchObject({ reason: 'NO_PROGRESS', authority: 'operator' });
    expect(await skillCalls('circle')).toBe(5);
    const answer = (hold: typeof first) => ({ args: [{ actor: OLGA, hold: hold.hold, digest: hold.digest }] as const });
    await handle.executeUpdate(approveUpdate, { args: [...answer(first).args] });
    const second = await held(handle, first.hold);
    expect([second.reason, await skillCalls('circle')]).toEqual(['NO_PROGRESS', 10]);
    await handle.executeUpdate(rejectUpdate, { args: [...answer(second).args] });
    expect(await handle.result()).toMatchObject({ outcome: 'policy_stopped', verdict: 'COMPLETE' });
    expect(await skillCalls('circle')).toBe(10);
  }, 60_000);

  it('five equal answers hold the run where nothing was called, whatever ids the provider gives their calls', async () => {
    const handle = await start('stumbler', 'stumble');
    expect(await held(handle)).toMatchObject({ reason: 'NO_PROGRESS' });
    const [made] = await rig.stack.admin.query<{ calls: number; answers: number }>(
      `SELECT count(*)::int AS calls, count(DISTINCT t.content_digest)::int AS answers FROM execute.results t
      JOIN decide.runs r USING (run_id) WHERE r.workflow_id = $1`,
      [handle.workflowId],
    );
    expect(made).toEqual({ calls: 5, answers: 1 });
    // The model was told which of its calls each result is of.
    const ids = await rig.stack.admin.query<{ id: string }>(
      `SELECT e ->> 'callId' AS id FROM execute.contexts c JOIN decide.runs r USING (run_id), jsonb_array_elements(c.added) e
      WHERE r.workflow_id = $1 AND e ? 'callId' ORDER BY 1`,
      [handle.workflowId],
    );
    expect(ids.map(({ id }) => id)).toEqual([0, 1, 2, 3].map((at) => `call_x${at}`));
    await handle.executeUpdate(cancelUpdate, { args: [{ actor: { local: 'alice' } }] });
    await handle.result();
  }, 60_000);

  it('four equal calls and four others are progress', async () => {
    const handle = await start('walker', 'walk');
    expect(await handle.result()).toMatchObject({ outcome: 'succeeded', decisions: { pause: 0 } });
    expect(await skillCalls('walk')).toBe(8);
  }, 60_000);

  it('of A and B asked in one turn, B only after A: denied beside it, allowed in the next turn, every time', async () => {
    const ids = Array.from({ length: 5 }, (_, at) => `careful-${at}`);
    const handles = await Promise.all(ids.map((id) => start('careful', id)));
    for (const handle of handles) expect(await handle.result()).toMatchObject({ outcome: 'succeeded' });
    const decided = await rig.stack.admin.query<{ said: string }>(
      `SELECT string_agg(d.target || ' ' || d.effect, ', ' ORDER BY d.step) AS said FROM decide.decisions d JOIN decide.runs r USING (run_id)
      WHERE r.agent = 'careful' AND d.kind = 'skill.call' GROUP BY r.run_id`,
    );
    expect(decided).toEqual(
      ids.map(() => ({ said: 'orders.lookup@1 allow, orders.refund@1 deny, orders.refund@1 allow' })),
    );
  }, 60_000);

  it('leaves histories that all replay', async () => {
    expect(await rig.replayAll()).toBe(8);
  }, 60_000);
});
