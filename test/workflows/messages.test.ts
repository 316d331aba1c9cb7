/** Whatever is said to a run, by whomever and however often: it is answered, and the rightful message after it counts. */
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { WithStartWorkflowOperation, WorkflowUpdateFailedError, type WorkflowHandle } from '@temporalio/client';
import { randomUUID } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Digest } from '../../src/domain/ids.js';
import type { governedRun } from '../../src/workflows/governed-run.js';
import { killUpdate, type RunStatus } from '../../src/workflows/messages/messages.js';
import { say as sayByAnyWay, takesNoMore } from '../../src/client/send-message.js';
import type { ActorVerb } from '../../src/domain/protocol/decide.js';
import { proofSize } from '../proof-size.js';
import { TEMPORAL_TAKES } from '../stack/servers.js';
import { naughtyStrings } from './naughty-strings.js';
import { createRig, type Rig } from './rig.js';
import { call, deployAgents, turn } from './scripted-agents.js';

const look = turn([call('orders.lookup', { order: 'A-1001' })]);
const AGENTS = {
  asking: { turns: [look, turn([])], policies: ['default', 'asks'] },
  slow: { turns: [{ ...look, latencyMs: 1_500 }, look, look, turn([])] },
};
const POLICIES = {
  asks: `@id("asks") @effect("pause") @authority("finance") @sla("1h")
    forbid (principal, action == Action::"skill.call", resource);`,
};
const FINANCE = { local: 'bob', roles: ['approver:finance'] };
const OLGA = { local: 'olga', roles: ['operator'] };
const TOO_MANY = 'Temporal takes no more';
const STRANGER = { local: 'mallory' };
const { strings, sharedList } = naughtyStrings();
if (!sharedList) console.warn('the big list of naughty strings is not here: the small one of our own is used');

describe('messages to a run', () => {
  let rig: Rig;
  let folder: string;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'rok-messages-'));
    rig = await createRig({ env: await deployAgents(folder, AGENTS, POLICIES) });
  }, 240_000);
  afterAll(async () => {
    await rig.close();
    await rm(folder, { recursive: true, force: true });
  });

  const spec = (agent: keyof typeof AGENTS) => ({ tenant: 'acme', agent, input: 'go', actor: { local: 'alice' } });
  const start = (agent: keyof typeof AGENTS) => rig.start(`rok/acme/${randomUUID()}`, spec(agent));
  const heldRun = async () => {
    const handle = await start('asking');
    const [hold] = (await rig.status(handle, (status: RunStatus) => status.holds.length > 0)).holds;
    if (hold === undefined || hold.digest === null) throw new Error('the run is not held');
    return { handle, hold: hold.hold, digest: hold.digest };
  };
  const say = (handle: WorkflowHandle, verb: string, message: unknown, updateId?: string) =>
    handle.executeUpdate(verb, { args: [message], ...(updateId === undefined ? {} : { updateId }) });
  /** The refusal's code; anything but a refusal is told as it is. */
  const codeOf = async (asked: Promise<unknown>): Promise<unknown> => {
    const error: unknown = await asked.then(
      () => 'it was not refused',
      (reason: unknown) => reason,
    );
    if (takesNoMore(error)) return TOO_MANY;
    return error instanceof WorkflowUpdateFailedError ? (error.cause as { type?: unknown } | undefined)?.type : error;
  };
  /** As the client says it: beside the run, where Temporal takes no more updates of it. */
  const rightly = (handle: WorkflowHandle, verb: ActorVerb, message: object) =>
    sayByAnyWay(rig.client, handle, verb, message, randomUUID());
  const approve = (handle: WorkflowHandle, hold: number, digest: Digest) =>
    rightly(handle, 'approve', { actor: FINANCE, hold, digest });
  const eventsOf = ({ workflowId }: WorkflowHandle, kind: string) =>
    rig.stack.admin.query<{ event_id: string }>(
      `SELECT e.event_id FROM observe.events e JOIN decide.runs r USING (run_id)
      WHERE r.workflow_id = $1 AND e.kind = $2 ORDER BY e.seq`,
      [workflowId, kind],
    );
  const keptOf = async ({ workflowId }: WorkflowHandle) => {
    const [row] = await rig.stack.admin.query<{ kept: number; counted: number }>(
      `SELECT (SELECT count(*)::int FROM decide.acts a WHERE a.run_id = r.run_id AND NOT allowed) AS kept,
        (SELECT coalesce(sum(times), 0)::int FROM decide.v_refusals f WHERE f.run_id = r.run_id) AS counted
      FROM decide.runs r WHERE r.workflow_id = $1`,
      [workflowId],
    );
    return row;
  };

  it('under any id are named in the trace by its digest, and end no run', async () => {
    const { handle, hold, digest } = await heldRun();
    for (const id of ['ticket #5', 'ops@example.org', 'c2lnbmVk+/==', '👩‍👩‍👧', 'x'.repeat(256)])
      expect(await codeOf(say(handle, 'pause', { actor: { local: `not ${id.slice(0, 9)}` } }, id))).toBe(
        'actor_refused',
      );
    await approve(handle, hold, digest);
    expect(await handle.result()).toMatchObject({ outcome: 'succeeded', verdict: 'COMPLETE' });
    const refused = await eventsOf(handle, 'message.refused');
    expect(refused).toHaveLength(5);
    for (const { event_id } of refused) expect(event_id).toMatch(/^act\.[0-9a-f]{64}$/);
  }, 120_000);

  it('of another form than they should have are refused at the door, and leave no history', async () => {
    const { handle, hold, digest } = await heldRun();
    const before = (await handle.describe()).historyLength;
    const wrong: readonly (readonly [string, unknown, string?])[] = [
      ...['x', 2 ** 40, 1.5, -1, 0, null, [1], {}].map((bad) => ['kill', { actor: OLGA, hold: bad }] as const),
      ...['x', 2 ** 40, 1.5, -1, null].map((bad) => ['approve', { actor: FINANCE, hold: bad, digest }] as const),
      ...['\0', 'x', null, `${digest}\0`].map((bad) => ['approve', { actor: FINANCE, hold, digest: bad }] as const),
      ['kill', { actor: OLGA, digest: '\0'.repeat(64) }],
      ['pause', { actor: OLGA }, 'a\0b'],
      ['pause', { actor: OLGA }, 'x'.repeat(257)],
      ['pause', { actor: OLGA, reason: 'a\0b' }],
      ['pause', { actor: OLGA, reason: 'x'.repeat(2_001) }],
      ['pause', { actor: OLGA, reason: 5 }],
      ['pause', { actor: { local: 'a\0b' } }],
      ['pause', { actor: { local: 'a', roles: 'operator' } }],
      ['pause', { actor: 'olga' }],
      ['pause', 'olga'],
      ['pause', null],
      ['raise_budget', { actor: FINANCE, scope: 'run' }],
    ];
    for (const [verb, message, id] of wrong)
      expect([verb, message, await codeOf(say(handle, verb, message, id))]).toEqual([verb, message, 'message_invalid']);
    expect(await codeOf(say(handle, 'approve', { actor: { assertion: 'a.b.c' }, hold, digest }))).toBe(
      'assertion_invalid',
    );
    expect((await handle.describe()).historyLength).toBe(before);
    await approve(handle, hold, digest);
    expect(await handle.result()).toMatchObject({ outcome: 'succeeded', verdict: 'COMPLETE' });
  }, 60_000);

  const times = proofSize({ quick: 300, full: 3_000 });
  /** Each string as id, as reason and as actor, each verb, until there are enough. */
  const flood = async (handle: WorkflowHandle, hold: number, digest: Digest) => {
    const verbs = ['pause', 'cancel', 'kill', 'resume', 'approve', 'reject', 'raise_budget'];
    let next = 0;
    const one = async (): Promise<void> => {
      while (next < times) {
        const at = next++;
        const text = strings[Math.floor(at / 3) % strings.length] ?? '';
        const verb = verbs[at % verbs.length] ?? 'pause';
        const held = verb === 'approve' || verb === 'reject' ? { hold, digest } : {};
        const message = [
          { actor: STRANGER, ...held },
          { actor: STRANGER, reason: text, ...held },
          { actor: { local: text }, ...held },
        ][at % 3];
        const id = at % 3 === 0 ? `${text.slice(0, 900)}${at < strings.length * 3 ? '' : at}` : undefined;
        const code = await codeOf(say(handle, verb, message, id));
        expect(['message_invalid', 'actor_refused', 'assertion_invalid', 'hold_unknown', TOO_MANY]).toContain(code);
      }
    };
    await Promise.all(Array.from({ length: 8 }, one));
  };

  it(`${times} that are refused leave the rightful approval its effect`, async () => {
    const { handle, hold, digest } = await heldRun();
    await flood(handle, hold, digest);
    await approve(handle, hold, digest);
    expect(await handle.result()).toMatchObject({ outcome: 'succeeded', verdict: 'COMPLETE' });
    const kept = await keptOf(handle);
    expect(kept?.kept).toBeLessThanOrEqual(256);
    expect(kept?.counted).toBeGreaterThanOrEqual(kept?.kept ?? 0);
    expect(await eventsOf(handle, 'message.refused')).toHaveLength(kept?.kept ?? 0);
  }, 600_000);

  it(`${times} that are refused leave the kill its effect`, async () => {
    const { handle, hold, digest } = await heldRun();
    await flood(handle, hold, digest);
    await rightly(handle, 'kill', { actor: OLGA, reason: 'enough' });
    expect(await handle.result()).toMatchObject({ outcome: 'killed', verdict: 'COMPLETE' });
  }, 600_000);

  it('are more than one append takes, and more than Temporal takes: the approval comes beside the run', async () => {
    const { handle, hold, digest } = await heldRun();
    let next = 0;
    let taken = 0;
    const one = async (): Promise<void> => {
      for (;;) {
        const code = await codeOf(say(handle, 'pause', { actor: { local: `m${next++}` } }));
        expect(['actor_refused', TOO_MANY]).toContain(code);
        if (code === TOO_MANY) return;
        taken += 1;
      }
    };
    await Promise.all(Array.from({ length: 8 }, one));
    expect(taken).toBe(TEMPORAL_TAKES.updates);
    await approve(handle, hold, digest);
    expect(await handle.result()).toMatchObject({ outcome: 'succeeded', verdict: 'COMPLETE' });
    const kept = await keptOf(handle);
    expect(kept?.kept).toBe(256);
    // A workflow task that is tried again may count one again.
    expect(kept?.counted).toBeGreaterThanOrEqual(TEMPORAL_TAKES.updates);
  }, 600_000);

  it('as signals, any and many, end nothing before its time', async () => {
    const { handle, hold, digest } = await heldRun();
    const many = proofSize({ quick: 1_500, full: 9_900 });
    const said = (at: number): unknown => {
      const text = strings[at % strings.length] ?? '';
      return [
        { by: text },
        text,
        { by: 'x', actor: { assertion: text }, updateId: text, reason: text },
        { by: 'x', actor: { assertion: 'a.b.c' }, updateId: text },
        null,
      ][at % 5];
    };
    let next = 0;
    const one = async (): Promise<void> => {
      while (next < many) await handle.signal('finalize_run', said(next++));
    };
    await Promise.all(Array.from({ length: 16 }, one));
    await approve(handle, hold, digest);
    expect(await handle.result()).toMatchObject({ outcome: 'succeeded', verdict: 'COMPLETE' });
    expect(await eventsOf(handle, 'message.refused')).toEqual([{ event_id: 'finalize_run.early' }]);
  }, 600_000);

  it('before the first workflow task wait until the run is open, and count', async () => {
    const startOperation = new WithStartWorkflowOperation('governedRun', {
      taskQueue: 'rok-control',
      workflowId: `rok/acme/${randomUUID()}`,
      args: [spec('slow')],
      workflowIdConflictPolicy: 'FAIL',
    });
    const killed = await rig.client.workflow.executeUpdateWithStart(killUpdate, {
      startWorkflowOperation: startOperation,
      args: [{ actor: OLGA }],
      updateId: 'ticket #5',
    });
    expect(killed).toEqual({ actor: 'local:olga' });
    const handle = (await startOperation.workflowHandle()) as WorkflowHandle<typeof governedRun>;
    expect(await handle.result()).toMatchObject({ outcome: 'killed', verdict: 'COMPLETE' });
  }, 120_000);

  it('while it works take turns with its steps', async () => {
    const handle = await start('slow');
    let ended = false;
    const result = handle.result().finally(() => {
      ended = true;
    });
    let said = 0;
    const one = async (): Promise<void> => {
      while (!ended && said < 1_000) {
        said += 1;
        await say(handle, 'pause', { actor: STRANGER }).catch(() => undefined);
      }
    };
    await Promise.all(Array.from({ length: 8 }, one));
    expect(await result).toMatchObject({ outcome: 'succeeded', verdict: 'COMPLETE' });
  }, 300_000);

  it('leave histories that all replay', async () => {
    expect(await rig.replayAll()).toBe(8);
  }, 600_000);
});
