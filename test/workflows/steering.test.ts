import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { WorkflowUpdateFailedError } from '@temporalio/client';
import {
  approveUpdate,
  cancelUpdate,
  finalizeRunSignal,
  pauseUpdate,
  rejectUpdate,
  resumeUpdate,
  statusQuery,
} from '../../src/workflows/messages/messages.js';
import { recordIfAsked } from '../histories/recording.js';
import { agentsWith, createRig, type Rig } from './rig.js';

const SPEC = { tenant: 'acme', agent: 'refund-desk', input: 'Please handle the refunds.', actor: { local: 'alice' } };
const FINANCE = { local: 'bob', roles: ['approver:finance'] };
const OPERATOR = { local: 'olga', roles: ['operator'] };

/** Its model takes longer than anybody waits. */
const PATIENT = {
  name: 'hello',
  script: {
    content: 'at last',
    toolCalls: [],
    latencyMs: 20_000,
    finishReason: 'stop',
    usage: { inputTokens: 1, outputTokens: 1 },
  },
};

describe('steering a held run', () => {
  let rig: Rig;
  beforeAll(async () => {
    rig = await createRig({ env: { ROK_AGENTS: await agentsWith(PATIENT) } });
  }, 60_000);
  afterAll(() => rig.close());

  const held = async (id: string) => {
    const handle = await rig.start(`rok/acme/${id}`, SPEC);
    const [hold] = (await rig.status(handle, (status) => status.holds.length > 0)).holds;
    if (hold === undefined || hold.digest === null) throw new Error('the run is not held');
    return { handle, hold: hold.hold, digest: hold.digest };
  };
  const whyNot = async (asked: Promise<unknown>): Promise<string> => {
    const error: unknown = await asked.then(
      () => new Error('it was not refused'),
      (reason: unknown) => reason,
    );
    return error instanceof WorkflowUpdateFailedError ? (error.cause?.message ?? '') : String(error);
  };

  it('refuses the requester, the wrong role, another digest and a hold that is not there; then takes a rejection', async () => {
    const { handle, hold, digest } = await held('reject');
    const ask = (actor: object, over: object = {}) =>
      whyNot(handle.executeUpdate(approveUpdate, { args: [{ actor: actor as never, hold, digest, ...over }] }));
    expect(await ask({ local: 'alice', roles: ['approver:finance'] })).toBe(
      '`local:alice` may not approve: who asked for the run does not answer for it (access.four_eyes)',
    );
    expect(await ask({ local: 'carl', roles: ['approver:legal'] })).toBe(
      '`local:carl` may not approve: needs role approver:finance or role admin (grants/approval.grant)',
    );
    expect(await ask(FINANCE, { digest: '0'.repeat(64) })).toBe('the digest is not of the action that is held');
    expect(await ask(FINANCE, { hold: 7 })).toBe('no pending hold 7');
    expect(await ask({})).toBe('an actor is needed: { assertion } or { local, roles? }');
    const answer = { actor: FINANCE, hold, digest };
    expect(await handle.executeUpdate(rejectUpdate, { args: [answer] })).toMatchObject({ resolution: 'rejected' });
    expect(await handle.result()).toMatchObject({ outcome: 'succeeded', verdict: 'COMPLETE' });
    await recordIfAsked('rejected', handle);
    const refunds = await rig.stack.admin.query('SELECT order_id FROM shop.refunds');
    expect(refunds).toEqual([{ order_id: 'A-1001' }]);
  }, 30_000);

  it('cancels: the run is FAILED and COMPLETE, with an incident', async () => {
    const { handle } = await held('cancel');
    await handle.executeUpdate(cancelUpdate, { args: [{ actor: { local: 'alice' } }] });
    const result = await handle.result();
    expect(result).toMatchObject({ phase: 'FAILED', outcome: 'cancelled', verdict: 'COMPLETE' });
    const incidents = await rig.stack.admin.query(
      `SELECT outcome FROM execute.incident_occurrences WHERE run_id = $1`,
      [result.run.slice(4)],
    );
    expect(incidents).toEqual([{ outcome: 'cancelled' }]);
  }, 30_000);

  it('notes an early finalize_run and goes on', async () => {
    const { handle, hold, digest } = await held('early');
    await handle.signal(finalizeRunSignal, { by: 'test' });
    await handle.executeUpdate(approveUpdate, { args: [{ actor: FINANCE, hold, digest }] });
    expect(await handle.result()).toMatchObject({ outcome: 'succeeded', verdict: 'COMPLETE' });
  }, 30_000);

  it('pauses before the next step and resumes, and cannot resume what needs an approval', async () => {
    const { handle, hold, digest } = await held('pause');
    expect(await whyNot(handle.executeUpdate(resumeUpdate, { args: [{ actor: OPERATOR }] }))).toBe(
      '`local:olga` may not resume: a hold for APPROVAL_REQUIRED is not resumed but approved or rejected (access.state)',
    );
    await handle.executeUpdate(pauseUpdate, { args: [{ actor: OPERATOR }] });
    await handle.executeUpdate(approveUpdate, { args: [{ actor: FINANCE, hold, digest }] });
    await rig.status(handle, (status) => status.holds[0]?.reason === 'MANUAL');
    await handle.executeUpdate(resumeUpdate, { args: [{ actor: OPERATOR }] });
    expect(await handle.result()).toMatchObject({ outcome: 'succeeded', verdict: 'COMPLETE' });
  }, 30_000);

  it('is terminated from outside while it waits: found at the next sweep, repaired, FAILED and COMPLETE', async () => {
    const { handle } = await held('terminated');
    await handle.terminate('from outside');
    const ended = async () => {
      const [row] = await rig.stack.admin.query<{ phase: string; outcome: string; status: string | null }>(
        `SELECT r.phase, r.outcome, v.status FROM decide.runs r LEFT JOIN audit.v_verdicts v USING (run_id)
        WHERE workflow_id = 'rok/acme/terminated'`,
      );
      return row;
    };
    let row = await ended();
    while ((row?.status ?? null) === null) {
      await new Promise((resolve) => setTimeout(resolve, 200));
      row = await ended();
    }
    expect(row).toEqual({ phase: 'FAILED', outcome: 'forced', status: 'COMPLETE' });
    const repairs = rig.client.workflow.list({ query: `WorkflowType = 'repair'` });
    for await (const { workflowId } of repairs)
      await recordIfAsked('repaired', rig.client.workflow.getHandle(workflowId));
  }, 30_000);

  it('cannot be repaired while it lives: refused, recorded, and a note of its verdict', async () => {
    const { handle, hold, digest } = await held('alive');
    const { run } = await handle.query(statusQuery);
    const repairing = rig.client.workflow.execute('repair', {
      taskQueue: 'rok-control',
      workflowId: `rok-repair/${run ?? ''}`,
      args: [{ run, reason: 'stale' }],
    });
    await expect(repairing).rejects.toThrow();
    const uuid = run?.slice(4);
    expect(
      await rig.stack.admin.query('SELECT workflow_id, code FROM decide.refused_histories WHERE run_id = $1', [uuid]),
    ).toEqual([{ workflow_id: `rok-repair/${run ?? ''}`, code: 'not_this_history' }]);
    await handle.executeUpdate(rejectUpdate, { args: [{ actor: FINANCE, hold, digest }] });
    expect(await handle.result()).toMatchObject({ outcome: 'succeeded', verdict: 'COMPLETE' });
    const [verdict] = await rig.stack.admin.query<{ findings: readonly { code: string }[] }>(
      'SELECT findings FROM audit.v_verdicts WHERE run_id = $1',
      [uuid],
    );
    expect(verdict?.findings.map(({ code }) => code)).toEqual(['REFUSED_HISTORY']);
  }, 30_000);

  it('ends at its limit of steps, in an orderly way', async () => {
    const handle = await rig.start('rok/acme/late', { ...SPEC, limits: { steps: 3 } });
    expect(await handle.result()).toMatchObject({ outcome: 'policy_stopped', verdict: 'COMPLETE' });
  }, 30_000);

  it('ends at its deadline, by its timer or by the sweep, where nobody answers: COMPLETE', async () => {
    const deadline = new Date(Date.now() + 2_500).toISOString();
    const handle = await rig.start('rok/acme/expired', { ...SPEC, deadline, agent: 'hello' });
    const ended = await handle.result();
    expect(ended).toMatchObject({ phase: 'FAILED', verdict: 'COMPLETE' });
    // Whichever is first after the deadline.
    expect(['expired', 'forced']).toContain(ended.outcome);
  }, 30_000);

  it('leaves histories that all replay', async () => {
    expect(await rig.replayAll()).toBe(8);
  }, 60_000);
});
