/** Rate limits through whole runs: a durable timer of the time needed, a denial, a hold; and what each profile makes of it. */
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { WorkflowHandle } from '@temporalio/client';
import { randomUUID } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePorts } from '../../src/platform/local/free-port.js';
import { approveUpdate } from '../../src/workflows/messages/messages.js';
import { createRig, type Rig } from './rig.js';
import { call, deployAgents, turn } from './scripted-agents.js';
import { createAssertions, type Assertions } from './signing.js';

const look = (order: string) => call('orders.lookup', { order });
const AGENTS = {
  brisk: { turns: [turn([look('A-1001')]), turn([look('A-1002')]), turn([])] },
  pair: { turns: [turn([look('A-1001'), look('A-1002')]), turn([])] },
  chatty: { turns: [turn([look('A-1001')]), turn([])] },
};

describe('a rate limit', () => {
  let rig: Rig;
  let folder: string;
  let assertions: Assertions;
  let metrics: string;
  beforeAll(async () => {
    const [port] = await freePorts(1);
    metrics = `127.0.0.1:${port ?? 0}`;
    folder = await mkdtemp(join(tmpdir(), 'rok-rates-'));
    assertions = await createAssertions(join(folder, 'jwks.json'));
    const env = { ROK_JWKS: assertions.keySet, ROK_METRICS_ADDR: metrics };
    rig = await createRig({ env: { ...(await deployAgents(folder, AGENTS)), ...env } });
  }, 60_000);
  afterAll(async () => {
    await rig.close();
    await rm(folder, { recursive: true, force: true });
  });

  const limited = (scope: string, subject: string, enforcement: string, calls: number, periodS: number) =>
    rig.stack.admin.query(
      'INSERT INTO decide.rate_limits (scope, subject, enforcement, calls, period_s, burst) VALUES ($1, $2, $3, $4, $5, 1)',
      [scope, subject, enforcement, calls, periodS],
    );
  /** In STRICT, asked for by a signed assertion; each in a tenant of its own. */
  async function start(agent: keyof typeof AGENTS, tenant: string, profile = 'STRICT') {
    const workflow = `rok/${tenant}/${randomUUID()}`;
    const actor =
      profile === 'STRICT' ? await assertions.claim({ workflow, verb: 'start', sub: 'alice' }) : { local: 'alice' };
    return rig.start(workflow, { tenant, agent, input: 'go', actor, ...(profile === 'STRICT' ? { profile } : {}) });
  }
  /** Steps decided so far on this way, as the control worker's endpoint says. */
  async function decidedOn(path: 'in_full' | 'by_itself'): Promise<number> {
    const text = await (await fetch(`http://${metrics}/metrics`)).text();
    return Number(new RegExp(`^rok_decide_path_total\\{path="${path}"\\} (\\d+)$`, 'm').exec(text)?.[1] ?? 0);
  }
  const decisions = ({ workflowId }: WorkflowHandle) =>
    rig.stack.admin.query<{ step: number; said: string; wait: number | null; notices: string | null }>(
      `SELECT d.step, d.kind || ' ' || d.effect || coalesce(' ' || (d.body #>> '{reasons,0,rule}'), '') AS said,
        (d.body ->> 'retryAfterMs')::int AS wait, d.body #>> '{notices,0,code}' AS notices
      FROM decide.decisions d JOIN decide.runs r USING (run_id) WHERE r.workflow_id = $1 AND d.kind IN ('model.call', 'skill.call')
      ORDER BY d.step, d.attempt`,
      [workflowId],
    );
  /** Timers of the history that say a rate is waited for, in milliseconds. */
  async function rateTimers(handle: WorkflowHandle): Promise<readonly number[]> {
    const { events } = await handle.fetchHistory();
    return (events ?? []).flatMap((event) => {
      const summary = Buffer.from(event.userMetadata?.summary?.data ?? []).toString();
      const timer = event.timerStartedEventAttributes?.startToFireTimeout;
      if (timer === undefined || timer === null || !summary.includes('rate limit')) return [];
      return [Number(timer.seconds ?? 0) * 1000 + (timer.nanos ?? 0) / 1e6];
    });
  }

  it('soft, in STRICT: each call waits for its time by a durable timer, and is then allowed', async () => {
    await limited('agent', 'soft/brisk', 'soft', 5, 10); // one in 2 s: more than a step takes on a busy machine
    const handle = await start('brisk', 'soft');
    expect(await handle.result()).toMatchObject({ outcome: 'succeeded', verdict: 'COMPLETE', attempts: 5 });
    const made = await decisions(handle);
    const waits = made.flatMap(({ wait }) => wait ?? []);
    expect(waits.length).toBeGreaterThanOrEqual(2);
    expect(waits.every((ms) => ms > 0 && ms <= 2_000)).toBe(true);
    expect(await rateTimers(handle)).toEqual(waits);
    expect(made.filter(({ said }) => said.includes('deny')).every(({ said }) => said.endsWith('rate.agent.soft'))).toBe(
      true,
    );
    const [spread] = await rig.stack.admin.query<{ ms: number }>(
      `SELECT (extract(epoch FROM max(d.decided_at) - min(d.decided_at)) * 1000)::int AS ms FROM decide.decisions d
      JOIN decide.runs r USING (run_id) WHERE r.workflow_id = $1 AND d.effect = 'allow' AND d.kind IN ('model.call', 'skill.call')`,
      [handle.workflowId],
    );
    // Five calls, 2 s apart; the rows are written a moment after the time that counts.
    expect(spread?.ms).toBeGreaterThanOrEqual(7_950);
  }, 60_000);

  it('hard: the model is told of the skill call that is denied, and the others of its turn go on', async () => {
    await limited('skill', 'orders.lookup', 'hard', 1, 3600);
    const [inFull, byItself] = [await decidedOn('in_full'), await decidedOn('by_itself')];
    try {
      const handle = await start('pair', 'hard');
      expect(await handle.result()).toMatchObject({ outcome: 'succeeded', verdict: 'COMPLETE', attempts: 3 });
      expect((await decisions(handle)).map(({ said }) => said)).toEqual([
        'model.call allow',
        'skill.call allow',
        'skill.call deny rate.skill.hard',
        'model.call allow',
      ]);
      expect(await rateTimers(handle)).toEqual([]);
      // What falls under a limit asks for its rate by itself; the model's calls fall under none.
      expect([(await decidedOn('in_full')) - inFull, (await decidedOn('by_itself')) - byItself]).toEqual([2, 2]);
    } finally {
      await rig.stack.admin.query(`DELETE FROM decide.rate_limits WHERE scope = 'skill'`);
    }
  }, 60_000);

  it('hard, on a model: the run ends, in an orderly way', async () => {
    await limited('tenant', 'mute', 'hard', 2, 3600);
    await limited('model', 'scripted/chatty', 'hard', 1, 3600);
    const handle = await start('chatty', 'mute');
    expect(await handle.result()).toMatchObject({ outcome: 'policy_stopped', verdict: 'COMPLETE' });
    await rig.stack.admin.query(`DELETE FROM decide.rate_limits WHERE scope = 'model'`);
  }, 60_000);

  it('soft, that needs a minute or more: a hold RATE_LIMIT, which an operator may lift for this action', async () => {
    await limited('skill', 'orders.lookup', 'soft', 1, 600);
    const handle = await start('pair', 'held');
    const [hold] = (await rig.status(handle, (status) => status.holds.length > 0)).holds;
    if (hold === undefined || hold.digest === null) throw new Error('the run is not held');
    expect(hold).toMatchObject({ reason: 'RATE_LIMIT', authority: 'operator', given: 0 });
    const update = randomUUID();
    const actor = await assertions.claim({
      workflow: handle.workflowId,
      verb: 'approve',
      sub: 'olga',
      roles: ['approver:operator'],
      update,
      action: hold.digest,
    });
    await handle.executeUpdate(approveUpdate, {
      updateId: update,
      args: [{ actor, hold: hold.hold, digest: hold.digest }],
    });
    expect(await handle.result()).toMatchObject({ outcome: 'succeeded', verdict: 'COMPLETE', decisions: { pause: 1 } });
    await rig.stack.admin.query(`DELETE FROM decide.rate_limits WHERE scope = 'skill'`);
  }, 60_000);

  it('in STANDARD a soft one only warns and a hard one denies; in OBSERVE_ONLY both are notices', async () => {
    await limited('tenant', 'standard', 'soft', 1, 30);
    const standard = await start('pair', 'standard', 'STANDARD');
    expect(await standard.result()).toMatchObject({ outcome: 'succeeded', attempts: 4 });
    expect((await decisions(standard)).map(({ notices }) => notices)).toEqual([
      null,
      'rate_warning',
      'rate_warning',
      'rate_warning',
    ]);
    expect(await rateTimers(standard)).toEqual([]);

    await rig.stack.admin.query(`INSERT INTO decide.tenants (tenant, profile) VALUES ('observed', 'OBSERVE_ONLY')`);
    await limited('tenant', 'observed', 'soft', 1, 30);
    await limited('agent', 'observed/brisk', 'hard', 1, 3600);
    const watched = [await start('pair', 'observed', 'OBSERVE_ONLY'), await start('brisk', 'observed', 'OBSERVE_ONLY')];
    for (const one of watched)
      expect(await one.result()).toMatchObject({ outcome: 'succeeded', decisions: { deny: 0 } });
    const noted = await rig.stack.admin.query<{ code: string }>(
      `SELECT DISTINCT n ->> 'code' || ' ' || (n ->> 'rule') AS code FROM decide.decisions d JOIN decide.runs r USING (run_id),
        LATERAL jsonb_array_elements(d.body -> 'notices') n WHERE r.tenant = 'observed' ORDER BY 1`,
    );
    expect(noted.map(({ code }) => code)).toEqual(['would_deny rate.agent.hard', 'would_wait rate.tenant.soft']);
  }, 60_000);

  it('leaves histories that all replay', async () => {
    expect(await rig.replayAll()).toBe(7);
  }, 60_000);
});
