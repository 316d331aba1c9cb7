/** Holds that nobody answers in time, through whole runs: the warning, the next authority, the end. */
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { randomUUID } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { WorkflowHandle } from '@temporalio/client';
import { approveUpdate, cancelUpdate, type RunStatus } from '../../src/workflows/messages/messages.js';
import { createRig, type Rig } from './rig.js';
import { call, deployAgents, turn } from './scripted-agents.js';

const look = call('orders.lookup', { order: 'A-1001' });
const asks = (policy: string) => ({ turns: [turn([look]), turn([])], policies: ['default', policy] });
const AGENTS = { eager: asks('up'), waiting: asks('long'), starter: { ...asks('start'), turns: [turn([])] } };
const POLICIES = {
  up: `@id("up") @effect("pause") @authority("finance") @sla("2s") @on_timeout("escalate") @escalate_to("cfo")
    forbid (principal, action == Action::"skill.call", resource);`,
  long: `@id("long") @effect("pause") @authority("finance") @sla("1h")
    forbid (principal, action == Action::"skill.call", resource);`,
  start: `@id("start") @effect("pause") @authority("finance") @sla("1s") @on_timeout("escalate")
    forbid (principal, action == Action::"run.start", resource);`,
};

describe('a hold that nobody answers', () => {
  let rig: Rig;
  let folder: string;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'rok-holds-'));
    rig = await createRig({ env: await deployAgents(folder, AGENTS, POLICIES) });
  }, 60_000);
  afterAll(async () => {
    await rig.close();
    await rm(folder, { recursive: true, force: true });
  });

  const start = (agent: keyof typeof AGENTS) =>
    rig.start(`rok/acme/${randomUUID()}`, { tenant: 'acme', agent, input: 'go', actor: { local: 'alice' } });
  const heldBy = async (handle: WorkflowHandle, authority: string) => {
    const { holds } = await rig.status(handle, (status: RunStatus) => status.holds[0]?.authority === authority);
    const [hold] = holds;
    if (hold === undefined || hold.digest === null) throw new Error('the run is not held');
    return { ...hold, digest: hold.digest };
  };
  const approve = (handle: WorkflowHandle, hold: number, digest: Awaited<ReturnType<typeof heldBy>>['digest']) =>
    handle.executeUpdate(approveUpdate, {
      args: [{ actor: { local: 'carla', roles: ['approver:cfo'] }, hold, digest }],
    });
  const holdsOf = ({ workflowId }: WorkflowHandle) =>
    rig.stack.admin.query(
      `SELECT h.hold, h.authority, h.on_timeout, h.resolution FROM decide.holds h JOIN decide.runs r USING (run_id)
      WHERE r.workflow_id = $1 ORDER BY h.hold`,
      [workflowId],
    );
  const eventsOf = async ({ workflowId }: WorkflowHandle) => {
    const rows = await rig.stack.admin.query<{ event_id: string }>(
      `SELECT e.event_id FROM observe.events e JOIN decide.runs r USING (run_id)
      WHERE r.workflow_id = $1 AND e.event_id LIKE 'hold.%' ORDER BY e.seq`,
      [workflowId],
    );
    return rows.map(({ event_id }) => event_id);
  };

  it('is warned of, asks the next authority, and goes on where that one approves', async () => {
    const handle = await start('eager');
    const first = await heldBy(handle, 'finance');
    expect(first).toMatchObject({ reason: 'APPROVAL_REQUIRED' });
    const second = await heldBy(handle, 'cfo');
    expect(second).toMatchObject({ hold: first.hold + 1, digest: first.digest, what: first.what });
    await approve(handle, second.hold, second.digest);
    expect(await handle.result()).toMatchObject({ outcome: 'succeeded', verdict: 'COMPLETE', decisions: { pause: 2 } });
    expect(await holdsOf(handle)).toEqual([
      { hold: 1, authority: 'finance', on_timeout: 'escalate', resolution: 'timed_out' },
      { hold: 2, authority: 'cfo', on_timeout: 'terminate', resolution: 'approved' },
    ]);
    expect(await eventsOf(handle)).toEqual(
      [1, 2].flatMap((hold) => ['opened', 'warned', 'resolved'].map((what) => `hold.${hold}.${what}`)),
    );
  }, 60_000);

  it('asks once more and no further: then the run ends, in an orderly way', async () => {
    const handle = await start('eager');
    expect(await handle.result()).toMatchObject({ outcome: 'policy_stopped', verdict: 'COMPLETE' });
    expect(await holdsOf(handle)).toEqual([
      { hold: 1, authority: 'finance', on_timeout: 'escalate', resolution: 'timed_out' },
      { hold: 2, authority: 'cfo', on_timeout: 'terminate', resolution: 'timed_out' },
    ]);
  }, 60_000);

  it('escalates at the start of a run too, to whom a policy that names nobody means: an admin', async () => {
    const handle = await start('starter');
    const hold = await heldBy(handle, 'admin');
    await handle.executeUpdate(approveUpdate, {
      args: [{ actor: { local: 'ada', roles: ['admin'] }, hold: hold.hold, digest: hold.digest }],
    });
    expect(await handle.result()).toMatchObject({ outcome: 'succeeded', verdict: 'COMPLETE' });
  }, 60_000);

  it('with an hour to go is not warned of yet: its timer ends five minutes before it does', async () => {
    const handle = await start('waiting');
    const hold = await heldBy(handle, 'finance');
    expect(hold.warned).toBe(false);
    const { events } = await handle.fetchHistory();
    const timers = (events ?? []).flatMap((event) => {
      const summary = Buffer.from(event.userMetadata?.summary?.data ?? []).toString();
      const timer = event.timerStartedEventAttributes?.startToFireTimeout;
      return summary.includes('awaiting approval by finance') ? [Number(timer?.seconds ?? 0)] : [];
    });
    expect(timers).toHaveLength(1);
    expect(timers[0]).toBeGreaterThan(54 * 60);
    expect(timers[0]).toBeLessThanOrEqual(55 * 60);
    await handle.executeUpdate(cancelUpdate, { args: [{ actor: { local: 'alice' } }] });
    await handle.result();
    expect(await eventsOf(handle)).toEqual(['hold.1.opened', 'hold.1.resolved']);
  }, 60_000);

  it('leaves histories that all replay', async () => {
    expect(await rig.replayAll()).toBe(4);
  }, 60_000);
});
