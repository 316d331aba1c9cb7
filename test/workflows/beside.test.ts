/** Acts that come beside a run, because Temporal takes no more messages of it: they count as if the run had been asked. */
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { WorkflowHandle } from '@temporalio/client';
import { randomUUID } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ActorVerb } from '../../src/domain/protocol/decide.js';
import { sayBeside } from '../../src/client/send-message.js';
import type { RunStatus } from '../../src/workflows/messages/messages.js';
import { createRig, type Rig } from './rig.js';
import { call, deployAgents, turn } from './scripted-agents.js';
import { createAssertions, type Assertions } from './signing.js';

const look = turn([call('orders.lookup', { order: 'A-1001' })]);
const AGENTS = { asking: { turns: [look, turn([])], policies: ['default', 'asks'] } };
const POLICIES = {
  asks: `@id("asks") @effect("pause") @authority("finance") @sla("1h")
    forbid (principal, action == Action::"skill.call", resource);`,
};
const FINANCE = { local: 'bob', roles: ['approver:finance'] };
const OLGA = { local: 'olga', roles: ['operator'] };

describe('an act that comes beside the run', () => {
  let rig: Rig;
  let folder: string;
  let assertions: Assertions;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'rok-beside-'));
    assertions = await createAssertions(join(folder, 'keys.json'));
    rig = await createRig({
      env: { ...(await deployAgents(folder, AGENTS, POLICIES)), ROK_JWKS: assertions.keySet },
    });
  }, 240_000);
  afterAll(async () => {
    await rig.close();
    await rm(folder, { recursive: true, force: true });
  });

  const heldRun = async () => {
    const handle = await rig.start(`rok/acme/${randomUUID()}`, {
      tenant: 'acme',
      agent: 'asking',
      input: 'go',
      actor: { local: 'alice' },
    });
    const [hold] = (await rig.status(handle, (status: RunStatus) => status.holds.length > 0)).holds;
    if (hold === undefined || hold.digest === null) throw new Error('the run is not held');
    return { handle, hold: hold.hold, digest: hold.digest };
  };
  const beside = ({ workflowId }: WorkflowHandle, verb: ActorVerb, said: object, updateId: string = randomUUID()) =>
    sayBeside(rig.client, workflowId, verb, said, updateId);
  const codeOf = async (asked: Promise<unknown>): Promise<unknown> =>
    asked.then(
      () => 'it was not refused',
      (error: unknown) => (error as { code?: unknown }).code,
    );

  it('approves what is held, once, by an assertion for the run, and the run is told', async () => {
    const { handle, hold, digest } = await heldRun();
    const { workflowId: workflow } = handle;
    const of = { workflow, verb: 'approve', roles: ['approver:finance'], update: 'ticket #5', action: digest };
    const said = { actor: await assertions.claim({ ...of, sub: 'bob' }), hold, digest };
    const answer = { actor: 'bob', resolution: 'approved', given: 1, quorum: 1 };
    expect(await beside(handle, 'approve', said, 'ticket #5')).toEqual(answer);
    expect(await beside(handle, 'approve', said, 'ticket #5')).toEqual(answer);
    expect(await handle.result()).toMatchObject({ outcome: 'succeeded', verdict: 'COMPLETE' });
    const kinds = await rig.stack.admin.query(
      `SELECT e.kind FROM observe.events e JOIN decide.runs r USING (run_id) WHERE r.workflow_id = $1 AND e.event_id LIKE 'act.%'`,
      [workflow],
    );
    expect(kinds).toEqual([{ kind: 'approval.given' }]);
  }, 120_000);

  it('pauses, resumes and kills', async () => {
    const { handle, hold, digest } = await heldRun();
    await beside(handle, 'pause', { actor: OLGA });
    await beside(handle, 'approve', { actor: FINANCE, hold, digest });
    await rig.status(handle, (status) => status.holds[0]?.reason === 'MANUAL');
    await beside(handle, 'resume', { actor: OLGA });
    expect(await handle.result()).toMatchObject({ outcome: 'succeeded', verdict: 'COMPLETE' });
    const other = await heldRun();
    await beside(other.handle, 'kill', { actor: OLGA, reason: 'enough' });
    expect(await other.handle.result()).toMatchObject({ outcome: 'killed', verdict: 'COMPLETE' });
  }, 120_000);

  it('is refused as the run would refuse it, and changes nothing', async () => {
    const { handle, hold, digest } = await heldRun();
    const requester = { local: 'alice', roles: ['approver:finance'] };
    expect(await codeOf(beside(handle, 'approve', { actor: requester, hold, digest }))).toBe('actor_refused');
    expect(await codeOf(beside(handle, 'kill', { actor: OLGA, hold: 'x' }))).toBe('message_invalid');
    expect(await codeOf(beside(handle, 'kill', { actor: OLGA }, 'a\0b'))).toBe('message_invalid');
    const nobody = sayBeside(rig.client, 'rok/acme/nobody', 'kill', { actor: OLGA }, 'u');
    expect(await codeOf(nobody)).toBe('run_unknown');
    await beside(handle, 'reject', { actor: FINANCE, hold, digest });
    expect(await handle.result()).toMatchObject({ outcome: 'succeeded', verdict: 'COMPLETE' });
  }, 120_000);

  it('is found by a held run that nobody told', async () => {
    const { handle } = await heldRun();
    await rig.stack.admin.query(
      `INSERT INTO decide.acts (run_id, update_id, verb, actor, roles, issuer, allowed, person, carrier)
      SELECT run_id, 'by nobody', 'kill', 'local:olga', '{operator}', 'local', true,
        decide.person_of(tenant, '{"issuer":"local","subject":"olga","folded":"olga","name":"local:olga"}'), 'rok-admin/lost' FROM decide.runs WHERE workflow_id = $1`,
      [handle.workflowId],
    );
    expect(await handle.result()).toMatchObject({ outcome: 'killed', verdict: 'COMPLETE' });
  }, 120_000);

  it('leaves histories that all replay', async () => {
    expect(await rig.replayAll()).toBe(5);
  }, 120_000);
});
