/** Every call that a model asks for is in the trace: decided, or refused before a decision; and every one is counted. */
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { JsonObject } from '../../src/domain/json.js';
import { uuidOf, type RunId } from '../../src/domain/ids.js';
import { killUpdate } from '../../src/workflows/messages/messages.js';
import { createRig, type Rig } from './rig.js';
import { call, deployAgents, turn } from './scripted-agents.js';

const look = call('orders.lookup', { order: 'A-1001' });
const text = (name: string, argumentsText: string) => ({ name, argumentsText });
const refund = { order: 'A-1003', amount_cents: 1_200, reason: 'broken' };
const ASKED = [
  look,
  text('orders.lookup', '{"order": "A-1'),
  call('orders.lookup', { order: 7 }),
  // Registered, and not this agent's.
  call('orders.refund', refund),
  // Registered nowhere; named as what is registered is named inside ROK.
  call('orders.lookup@1', { order: 'A-1001' }),
  text('rm -rf\0\ud800', 'not { JSON'),
];
const AGENTS = {
  asking: { turns: [turn(ASKED), turn([])], skills: ['orders.lookup'] },
  greedy: { turns: [turn(Array.from({ length: 66 }, () => text('orders.lookup', 'no'))), turn([])] },
  held: { turns: [turn([look, look, text('orders.lookup', 'no'), look])], policies: ['default', 'ask'] },
  long: { turns: [turn([look, text('orders.lookup', 'no'), look, look, look])] },
};
const POLICIES = {
  ask: `@id("ask") @effect("pause") @authority("finance") @sla("1h")
    forbid (principal, action == Action::"skill.call", resource) when { context.counters.skillCalls has "orders.lookup" };`,
};

describe('a call that a model asks for', () => {
  let rig: Rig;
  let folder: string;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'rok-asked-'));
    rig = await createRig({ env: await deployAgents(folder, AGENTS, POLICIES) });
  }, 60_000);
  afterAll(async () => {
    await rig.close();
    await rm(folder, { recursive: true, force: true });
  });

  const start = (agent: keyof typeof AGENTS, over: object = {}) =>
    rig.start(`rok/acme/${agent}`, { tenant: 'acme', agent, input: 'go', actor: { local: 'alice' }, ...over });
  const eventsOf = async (run: RunId, kind: string) => {
    const rows = await rig.stack.admin.query<{ event: { readonly id: string; readonly body: JsonObject } }>(
      `SELECT convert_from(bytes, 'UTF8')::json AS event FROM observe.events WHERE run_id = $1 AND kind = $2 ORDER BY seq`,
      [uuidOf(run), kind],
    );
    return rows.map(({ event }) => event);
  };
  const codesOf = async (run: RunId) =>
    (await eventsOf(run, 'call.refused')).map(({ id, body }) => [id, body['skill'], body['code']]);
  const closingOf = async (run: RunId) => (await eventsOf(run, 'run.closing')).map(({ body }) => body);

  it('of a skill that it has not, registered or made up, is decided and denied; one that cannot be decided is in the trace', async () => {
    const result = await (await start('asking')).result();
    expect(result).toMatchObject({
      outcome: 'succeeded',
      verdict: 'COMPLETE',
      decisions: { allow: 5, deny: 3, pause: 0 },
      refusedCalls: 2,
      attempts: 3,
    });
    const denied = await rig.stack.admin.query(
      `SELECT step, target, access, body -> 'reasons' -> 0 ->> 'code' AS code FROM decide.decisions
      WHERE run_id = $1 AND effect = 'deny' ORDER BY step`,
      [uuidOf(result.run)],
    );
    expect(denied).toEqual([
      { step: 3, target: 'orders.refund@1', access: 'write', code: 'policy_not_permitted' },
      { step: 4, target: 'orders.lookup\uFFFD1@unknown', access: 'write', code: 'policy_not_permitted' },
      { step: 5, target: 'rm -rf\uFFFD\uFFFD@unknown', access: 'write', code: 'policy_not_permitted' },
    ]);
    expect(await codesOf(result.run)).toEqual([
      ['1.call.2.refused', 'orders.lookup', 'arguments_not_json'],
      ['1.call.3.refused', 'orders.lookup', 'arguments_do_not_fit'],
    ]);
    expect(await closingOf(result.run)).toMatchObject([{ events: result.traceEvents, refused_calls: 2 }]);
    expect(await rig.stack.admin.query('SELECT FROM shop.refunds')).toEqual([]);
    const contents = await rig.stack.admin.query<{ text: string }>(
      `SELECT convert_from(bytes, 'UTF8') AS text FROM execute.contents WHERE run_id = $1 AND kind = 'told'`,
      [uuidOf(result.run)],
    );
    expect(contents.map((one) => one.text)).toContain(
      'denied: policy_not_permitted: the agent has no skill `orders.refund`; it has: orders.lookup',
    );
  }, 60_000);

  it('beyond the 64th of one answer is counted in one event', async () => {
    const result = await (await start('greedy')).result();
    expect(result).toMatchObject({ refusedCalls: 65, attempts: 2, verdict: 'COMPLETE' });
    const rest = (await eventsOf(result.run, 'call.refused')).filter(({ id }) => id === '1.call.rest.refused');
    expect(rest).toMatchObject([{ body: { code: 'too_many_calls', calls: 2 } }]);
  }, 60_000);

  it('and that the run does not live to decide is in the trace too', async () => {
    // The fourth step is one too many, and ends the run: the last call is asked of nobody any more.
    const result = await (await start('long', { limits: { steps: 3 } })).result();
    expect(result).toMatchObject({ outcome: 'policy_stopped', verdict: 'COMPLETE', refusedCalls: 2 });
    expect(await codesOf(result.run)).toEqual([
      ['1.call.2.refused', 'orders.lookup', 'arguments_not_json'],
      ['1.call.5.refused', 'orders.lookup', 'run_ended'],
    ]);
    expect(result.decisions).toMatchObject({ deny: 1 });
    expect(await closingOf(result.run)).toMatchObject([{ events: result.traceEvents, refused_calls: 2 }]);
  }, 60_000);

  it('and held is decided, and so are those after it: a kill leaves none that nobody was asked about', async () => {
    const handle = await start('held');
    await rig.status(handle, (status) => status.holds.length === 2);
    await handle.executeUpdate(killUpdate, { args: [{ actor: { local: 'olga', roles: ['operator'] } }] });
    const result = await handle.result();
    expect(result).toMatchObject({ outcome: 'killed', verdict: 'COMPLETE', refusedCalls: 1, decisions: { pause: 2 } });
    expect(await codesOf(result.run)).toEqual([['1.call.3.refused', 'orders.lookup', 'arguments_not_json']]);
  }, 60_000);

  it('leaves histories that all replay', async () => {
    expect(await rig.replayAll()).toBe(4);
  }, 60_000);
});
