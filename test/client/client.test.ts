import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { RokClient, RokError, type RunView } from '../../src/client.js';
import { createRig, eventually, type Rig } from '../cli/rig.js';

let rig: Rig;
let client: RokClient;
beforeAll(async () => {
  rig = await createRig();
  client = await RokClient.connect({ env: rig.env });
});
afterAll(async () => {
  await client.close();
  await rig.stop();
});

const alice = { local: 'alice' };
const bob = { local: 'bob', roles: ['approver:finance'] };
const spec = { tenant: 'acme', agent: 'refund-desk', input: 'the refunds', actor: alice };
const codeOf = (work: Promise<unknown>): Promise<string> =>
  work.then(
    () => 'no error',
    (error: unknown) => (error instanceof RokError ? error.code : String(error)),
  );

describe('the client', () => {
  it('starts a run once per id, watches it through its hold to the end, and gives result and receipt', async () => {
    const { run, started } = await client.start({ ...spec, id: 'once' });
    const again = await client.start({ ...spec, id: 'once' });
    expect([started, again.started, again.run.workflowId]).toEqual([true, false, 'rok/acme/once']);
    expect(await codeOf(client.start({ ...spec, id: 'once', input: 'something else' }))).toBe('id_conflict');
    expect(await codeOf(client.start({ ...spec, id: 'once', actor: bob }))).toBe('id_conflict');

    const seen: RunView[] = [];
    for await (const view of run.watch({ everyMs: 50 })) {
      seen.push(view);
      if (view.holds[0]?.given === 0 && seen.filter(({ holds }) => holds.length > 0).length === 1) {
        expect(await codeOf(run.approve({ actor: bob, hold: 2 }))).toBe('hold_unknown');
        expect(await codeOf(run.approve({ actor: alice }))).toBe('actor_refused');
        expect(await run.approve({ actor: bob, reason: 'seen' })).toEqual({
          actor: 'local:bob',
          hold: 1,
          resolution: 'approved',
          given: 1,
          quorum: 1,
        });
      }
    }
    const last = seen.at(-1);
    expect(last).toMatchObject({
      phase: 'COMPLETED',
      outcome: 'succeeded',
      verdict: 'COMPLETE',
      holds: [],
      findings: [],
    });

    const result = await run.result();
    expect(result).toMatchObject({
      run: last?.run,
      outcome: 'succeeded',
      verdict: 'COMPLETE',
      decisions: last?.decisions,
      refusedCalls: last?.refusedCalls,
      attempts: last?.attempts,
      spentMicros: last?.spentMicros,
      traceEvents: last?.traceEvents,
    });
    const receipt = await eventually(() => run.receipt());
    expect(receipt).toMatchObject({ run: result.run, tenant: 'acme', revision: 1 });
    const byRunId = await client.get(result.run);
    expect(byRunId.workflowId).toBe(run.workflowId);
    expect(await codeOf(byRunId.pause({ actor: alice }))).toBe('run_closed');

    // Temporal forgets what is closed; the database knows the id for good.
    await client.temporal.workflowService.deleteWorkflowExecution({
      namespace: client.temporal.options.namespace,
      workflowExecution: { workflowId: run.workflowId },
    });
    await eventually(async () =>
      (await codeOf(client.temporal.workflow.getHandle(run.workflowId).describe())) === 'no error' ? null : true,
    );
    const later = await client.start({ ...spec, id: 'once' });
    expect([later.started, (await later.run.status())?.run]).toEqual([false, result.run]);
    expect(await codeOf(client.start({ ...spec, id: 'once', input: 'something else' }))).toBe('id_conflict');
    // A program without ROK's client is told by the run itself.
    const bare = client.temporal.workflow.execute('governedRun', {
      taskQueue: 'rok-control',
      workflowId: run.workflowId,
      args: [{ ...spec, id: 'once', input: 'something else' }],
    });
    await expect(bare).rejects.toMatchObject({ cause: { type: 'id_conflict' } });
    // Temporal deletes when it comes to it: after 18 to 33 s on an idle machine, and after more than 60 s on a busy one.
  }, 240_000);

  it('pauses, resumes and cancels as the requester, and is told when it may not', async () => {
    const { run } = await client.start(spec);
    const held = await eventually(async () => {
      const status = await run.status();
      return (status?.holds.length ?? 0) > 0 ? status : null;
    });
    expect(held.holds[0]?.what).toContain('orders.refund@1');
    expect(await codeOf(run.resume({ actor: alice }))).toBe('actor_refused');
    expect(await codeOf(run.cancel({ actor: { local: 'mallory' } }))).toBe('actor_refused');
    expect(await run.cancel({ actor: alice, reason: 'not needed' })).toEqual({ actor: 'local:alice' });
    expect(await run.result()).toMatchObject({ phase: 'FAILED', outcome: 'cancelled', verdict: 'COMPLETE' });
  }, 60_000);

  it('ends a run whose workflow was terminated from outside with what the database says once it is repaired', async () => {
    const { run } = await client.start(spec);
    await eventually(async () => (await run.status())?.holds[0]);
    await client.temporal.workflow.getHandle(run.workflowId).terminate('a drill');
    // The hold moved the deadline by an hour, and only past it is the workflow looked for.
    const { run: name } = (await run.status()) ?? { run: '' };
    await rig.stack.admin.query('UPDATE audit.contracts SET run_deadline = clock_timestamp() WHERE run_id = $1', [
      name.slice('run_'.length),
    ]);
    expect(await run.result()).toMatchObject({ phase: 'FAILED', outcome: 'forced' });
  }, 90_000);

  it('gives typed errors for what is not there and for what cannot be', async () => {
    expect(await codeOf(client.get('run_00000000-0000-7000-8000-000000000000'))).toBe('run_unknown');
    expect(await codeOf((await client.get('rok/acme/nobody')).result())).toBe('run_unknown');
    expect(await codeOf((await client.get('rok/acme/nobody')).cancel({ actor: alice }))).toBe('run_unknown');
    expect(await (await client.get('rok/acme/nobody')).status()).toBeNull();
    expect(await codeOf(client.start({ ...spec, tenant: '../etc' }))).toBe('spec_invalid');
    expect(await codeOf(client.start({ ...spec, input: 'x'.repeat(2_000_000) }))).toBe('spec_invalid');
    const denied = await client.start({ ...spec, agent: 'nobody' });
    expect(await denied.run.result()).toMatchObject({ phase: 'FAILED', outcome: 'denied', verdict: 'COMPLETE' });
  }, 60_000);
});
