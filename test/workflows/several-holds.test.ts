/** Several holds of one turn at once, through whole runs: each shown, answered and timed out on its own, the rest goes on. */
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { WorkflowUpdateFailedError, type WorkflowHandle } from '@temporalio/client';
import { randomUUID } from 'node:crypto';
import { rm } from 'node:fs/promises';
import type { Row } from '../../src/domain/sql.js';
import {
  approveUpdate,
  killUpdate,
  pauseUpdate,
  rejectUpdate,
  resumeUpdate,
  type Answer,
  type HoldStatus,
} from '../../src/workflows/messages/messages.js';
import { temporaryFolder } from '../stack/servers.js';
import { createRig, type Rig } from './rig.js';
import { call, deployAgents, turn } from './scripted-agents.js';

const refund = (cents: number) => call('orders.refund', { order: 'A-1001', amount_cents: cents, reason: 'it broke' });
const look = call('orders.lookup', { order: 'A-1001' });
const asks = (...calls: readonly object[]) => ({ turns: [turn(calls), turn([])], policies: ['default', 'gates'] });
const AGENTS = {
  three: asks(refund(101), refund(102), refund(103), look),
  mixed: asks(refund(101), refund(104), refund(102), look),
  ending: asks(refund(101), refund(105), refund(102)),
  both: asks(refund(101), refund(106)),
  twins: asks(refund(101), refund(101)),
};
const gate = (
  name: string,
  cents: string,
  terms: string,
) => `@id("${name}") @effect("pause") @authority("finance") ${terms}
  forbid (principal, action == Action::"skill.call", resource == Skill::"orders.refund") when { context.arguments.amount_cents ${cents} };`;
const GATES = [
  gate('hour', '<= 103', '@sla("1h")'),
  gate('goes-on', '== 104', '@sla("2s") @on_timeout("continue")'),
  gate('ends', '== 105', '@sla("2s")'),
  gate('two', '== 106', '@sla("1h") @quorum("2")'),
].join('\n');

const finance = (name: string) => ({ local: name, roles: ['approver:finance'] });
const OLGA = { local: 'olga', roles: ['operator'] };

describe('several holds of one turn', () => {
  let rig: Rig;
  let folder: string;
  beforeAll(async () => {
    folder = await temporaryFolder('several-holds');
    rig = await createRig({ env: await deployAgents(folder, AGENTS, { gates: GATES }) });
  }, 60_000);
  afterAll(async () => {
    await rig.close();
    await rm(folder, { recursive: true, force: true });
  });

  type Held = HoldStatus & Pick<Answer, 'digest'>;
  const held = async (agent: keyof typeof AGENTS, count: number) => {
    const spec = { tenant: 'acme', agent, input: 'go', actor: { local: 'alice' } };
    const handle = await rig.start(`rok/acme/${randomUUID()}`, spec);
    return { handle, holds: await open(handle, count) };
  };
  const open = async (handle: WorkflowHandle, count: number): Promise<readonly Held[]> => {
    const { holds } = await rig.status(handle, (status) => status.holds.length === count);
    return holds.map((hold) => ({ ...hold, digest: hold.digest ?? ('' as Held['digest']) }));
  };
  const answer = (handle: WorkflowHandle, verb: 'approve' | 'reject', of: Held | undefined, by = 'bob') =>
    handle.executeUpdate(verb === 'approve' ? approveUpdate : rejectUpdate, {
      args: [{ actor: finance(by), hold: of?.hold ?? 0, digest: of?.digest ?? ('' as Held['digest']) }],
    });
  const whyNot = async (asked: Promise<unknown>): Promise<string> => {
    const error: unknown = await asked.then(
      () => new Error('it was not refused'),
      (reason: unknown) => reason,
    );
    return error instanceof WorkflowUpdateFailedError ? (error.cause?.message ?? '') : String(error);
  };
  const rows = (handle: WorkflowHandle, text: string): Promise<readonly Row[]> =>
    rig.stack.admin.query(`SELECT ${text} AND r.workflow_id = $1`, [handle.workflowId]);
  const refundsOf = async (handle: WorkflowHandle): Promise<readonly unknown[]> => {
    const made = await rows(
      handle,
      `f.amount_cents::int AS cents FROM shop.refunds f, decide.runs r WHERE f.idempotency_key LIKE '%' || r.run_id || '%'`,
    );
    return made.map((row) => (row as { cents: number }).cents).sort();
  };
  const resolutionsOf = async (handle: WorkflowHandle): Promise<readonly unknown[]> =>
    rig.stack.admin.query(
      `SELECT h.hold, h.reason, h.resolution FROM decide.holds h JOIN decide.runs r USING (run_id) WHERE r.workflow_id = $1 ORDER BY hold`,
      [handle.workflowId],
    );
  const eventsOf = async (handle: WorkflowHandle): Promise<readonly string[]> => {
    const found = await rig.stack.admin.query<{ event_id: string }>(
      `SELECT e.event_id FROM observe.events e JOIN decide.runs r USING (run_id)
      WHERE r.workflow_id = $1 AND e.event_id ~ '^hold[.].*(opened|resolved)$' ORDER BY e.event_id`,
      [handle.workflowId],
    );
    return found.map(({ event_id }) => event_id);
  };
  const eventsOfHolds = (count: number): readonly string[] =>
    Array.from({ length: count }, (_, at) => [`hold.${at + 1}.opened`, `hold.${at + 1}.resolved`]).flat();
  const hold = (number: number, resolution: string, reason = 'APPROVAL_REQUIRED') => ({
    hold: number,
    reason,
    resolution,
  });
  const looked = async (handle: WorkflowHandle): Promise<void> => {
    const done = `1 FROM execute.results t JOIN decide.decisions d USING (run_id, step, attempt) JOIN decide.runs r USING (run_id)
      WHERE d.target LIKE 'orders.lookup%' AND t.status = 'succeeded'`;
    while ((await rows(handle, done)).length === 0) await new Promise((resolve) => setTimeout(resolve, 20));
  };

  it('are approved in reverse, each goes on at once, and what nobody gates did not wait', async () => {
    const { handle, holds } = await held('three', 3);
    await looked(handle);
    expect(await refundsOf(handle)).toEqual([]);
    const [one, two, three] = holds;
    expect([one, two, three].map((each) => each?.hold)).toEqual([1, 2, 3]);
    for (const [number, approved] of [three, two].entries()) {
      expect(await answer(handle, 'approve', approved)).toMatchObject({ hold: approved?.hold, resolution: 'approved' });
      expect((await open(handle, 2 - number)).map((each) => each.hold)).toEqual([1, 2].slice(0, 2 - number));
    }
    while ((await refundsOf(handle)).length < 2) await new Promise((resolve) => setTimeout(resolve, 20));
    expect(await refundsOf(handle)).toEqual([102, 103]);
    expect(await whyNot(answer(handle, 'approve', three))).toBe('no pending hold 3');
    await answer(handle, 'approve', one);
    expect(await handle.result()).toMatchObject({
      outcome: 'succeeded',
      verdict: 'COMPLETE',
      decisions: { pause: 3, deny: 0 },
      attempts: 6,
    });
    expect(await refundsOf(handle)).toEqual([101, 102, 103]);
    expect(await resolutionsOf(handle)).toEqual([1, 2, 3].map((number) => hold(number, 'approved')));
    expect(await eventsOf(handle)).toEqual(eventsOfHolds(3));
  }, 60_000);

  it('one rejected, one timed out, one approved: each as it was answered, over other workers in between', async () => {
    const { handle, holds } = await held('mixed', 3);
    const [first, , third] = holds;
    await answer(handle, 'reject', third);
    await rig.restart();
    expect((await open(handle, 1)).map((each) => each.hold)).toEqual([1]);
    await answer(handle, 'approve', first);
    expect(await handle.result()).toMatchObject({ outcome: 'succeeded', verdict: 'COMPLETE', decisions: { deny: 1 } });
    expect(await resolutionsOf(handle)).toEqual([hold(1, 'approved'), hold(2, 'timed_out'), hold(3, 'rejected')]);
    expect(await refundsOf(handle)).toEqual([101, 104]);
    expect(await eventsOf(handle)).toEqual(eventsOfHolds(3));
  }, 60_000);

  it('one that ends the run when nobody answers ends the others with it', async () => {
    const { handle } = await held('ending', 3);
    expect(await handle.result()).toMatchObject({ outcome: 'policy_stopped', verdict: 'COMPLETE' });
    expect(await resolutionsOf(handle)).toEqual([hold(1, 'ended'), hold(2, 'timed_out'), hold(3, 'ended')]);
    expect(await eventsOf(handle)).toEqual(eventsOfHolds(3));
    expect(await refundsOf(handle)).toEqual([]);
  }, 60_000);

  it('a kill ends all that are open', async () => {
    const { handle } = await held('three', 3);
    await handle.executeUpdate(killUpdate, { args: [{ actor: OLGA }] });
    expect(await handle.result()).toMatchObject({ outcome: 'killed', verdict: 'COMPLETE' });
    expect(await resolutionsOf(handle)).toEqual([1, 2, 3].map((number) => hold(number, 'ended')));
    expect(await eventsOf(handle)).toEqual(eventsOfHolds(3));
    expect(await refundsOf(handle)).toEqual([]);
  }, 60_000);

  it('a quorum is of its own hold: who approved one is no voice for the other', async () => {
    const { handle, holds } = await held('both', 2);
    const [single, double] = holds;
    expect(await answer(handle, 'approve', double)).toMatchObject({ given: 1, quorum: 2 });
    expect(await whyNot(answer(handle, 'approve', double))).toContain('access.one_voice');
    expect(await answer(handle, 'approve', single)).toMatchObject({ resolution: 'approved', given: 1, quorum: 1 });
    expect((await open(handle, 1))[0]).toMatchObject({ hold: double?.hold, given: 1 });
    expect(await answer(handle, 'approve', double, 'carol')).toMatchObject({ resolution: 'approved', given: 2 });
    expect(await handle.result()).toMatchObject({ outcome: 'succeeded', verdict: 'COMPLETE' });
    expect(await refundsOf(handle)).toEqual([101, 106]);
  }, 60_000);

  it('answered with the digest of the other is refused, and both at the same instant is both', async () => {
    const { handle, holds } = await held('three', 3);
    const [one, two, three] = holds;
    const swapped = [
      { ...one, digest: two?.digest },
      { ...two, digest: three?.digest },
      { ...three, digest: one?.digest },
    ] as readonly Held[];
    for (const each of swapped)
      for (const verb of ['approve', 'reject'] as const)
        expect(await whyNot(answer(handle, verb, each))).toBe('the digest is not of the action that is held');
    const answers = await Promise.all([one, two, three].map((each) => answer(handle, 'approve', each)));
    expect(answers.map(({ resolution }) => resolution)).toEqual(['approved', 'approved', 'approved']);
    expect(await handle.result()).toMatchObject({ outcome: 'succeeded', verdict: 'COMPLETE' });
    expect(await refundsOf(handle)).toEqual([101, 102, 103]);
  }, 60_000);

  it('of the very same action are two, and each is answered by its number', async () => {
    const { handle, holds } = await held('twins', 2);
    const [one, two] = holds;
    expect(one?.digest).toBe(two?.digest);
    await answer(handle, 'approve', two);
    expect(await open(handle, 1)).toMatchObject([{ hold: 1 }]);
    await answer(handle, 'approve', one, 'carol');
    expect(await handle.result()).toMatchObject({ outcome: 'succeeded', verdict: 'COMPLETE' });
    expect(await refundsOf(handle)).toEqual([101, 101]);
  }, 60_000);

  it('of the very same action, one rejected and the other approved after it, is done once', async () => {
    const { handle, holds } = await held('twins', 2);
    await answer(handle, 'reject', holds[0]);
    await open(handle, 1);
    await answer(handle, 'approve', holds[1]);
    expect(await handle.result()).toMatchObject({ outcome: 'succeeded', verdict: 'COMPLETE', decisions: { deny: 1 } });
    expect(await refundsOf(handle)).toEqual([101]);
  }, 60_000);

  it('a pause by hand is one hold and stops what was approved meanwhile, until it is resumed', async () => {
    const { handle, holds } = await held('both', 2);
    const [single, double] = holds;
    await handle.executeUpdate(pauseUpdate, { args: [{ actor: OLGA }] });
    await answer(handle, 'approve', single);
    await rig.status(handle, (status) => status.holds.some(({ reason }) => reason === 'MANUAL'));
    await answer(handle, 'approve', double);
    await answer(handle, 'approve', double, 'carol');
    expect((await open(handle, 1)).map(({ reason }) => reason)).toEqual(['MANUAL']);
    expect(await refundsOf(handle)).toEqual([]);
    expect(await handle.executeUpdate(resumeUpdate, { args: [{ actor: OLGA }] })).toMatchObject({ hold: 3 });
    expect(await handle.result()).toMatchObject({ outcome: 'succeeded', verdict: 'COMPLETE' });
    expect(await resolutionsOf(handle)).toEqual([
      hold(1, 'approved'),
      hold(2, 'approved'),
      hold(3, 'resumed', 'MANUAL'),
    ]);
  }, 60_000);

  it('leaves histories that all replay', async () => {
    expect(await rig.replayAll()).toBe(9);
  }, 60_000);
});
