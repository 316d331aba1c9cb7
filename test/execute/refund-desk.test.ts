import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { JsonObject } from '../../src/domain/json.js';
import { answerText, conversationOf, toolsText } from '../../src/execute/content/conversation.js';
import type { Message, ModelRequest } from '../../src/execute/models/model-gateway.js';
import { readScript } from '../../src/execute/models/script-file.js';
import { scriptedProvider } from '../../src/execute/models/scripted.js';
import { redeemed } from '../../src/execute/redeemed.js';
import type { SkillContext } from '../../src/execute/skills/skill.js';
import { agentsFolder, createRig, refundDesk, type Rig } from './rig.js';

let rig: Rig;
beforeAll(async () => {
  rig = await createRig();
});
afterAll(() => rig.close());

const contextOf = (idempotencyKey: string): SkillContext => ({
  run: 'run_00000000-0000-7000-8000-000000000000' as never,
  idempotencyKey,
  signal: new AbortController().signal,
  log: rig.deps().log,
  heartbeat: () => undefined,
});
const runSkill = (target: string, input: JsonObject, key = 'k'): Promise<unknown> =>
  rig.deps().registry.runSkill(redeemed(), target, input, contextOf(key));
const refund = (amount_cents: number, key: string, order = 'A-1001'): Promise<unknown> =>
  runSkill('orders.refund@1', { order, amount_cents, reason: 'broken' }, key);
const refunds = () => rig.stack.admin.query('SELECT order_id, amount_cents FROM shop.refunds ORDER BY refunded_at');

describe('the skills of the refund desk', () => {
  it('look an order up, and say where there is none', async () => {
    expect(await runSkill('orders.lookup@1', { order: 'A-1001' })).toEqual({
      order: 'A-1001',
      found: true,
      customer: 'Sample Cafe Chain',
      item: 'stoneware mug',
      quantity: 5000,
      total_cents: 6_000_000,
      refunded_cents: 0,
      ordered_on: '2026-01-12',
    });
    expect(await runSkill('orders.lookup@1', { order: 'A-9' })).toEqual({ order: 'A-9', found: false });
  });

  it('refund once per key, however often and at once they are called', async () => {
    const answers = await Promise.all(Array.from({ length: 5 }, () => refund(1_200, 'run/1')));
    expect(new Set(answers.map((answer) => JSON.stringify(answer))).size).toBe(1);
    expect(answers[0]).toMatchObject({ refunded: true, order: 'A-1001', amount_cents: 1_200 });
    expect(await refunds()).toEqual([{ order_id: 'A-1001', amount_cents: 1_200n }]);
  });

  it('never refund more than the order, even side by side, and find a full refund again by its key', async () => {
    const left = 6_000_000 - 1_200;
    const answers = await Promise.all([refund(left, 'run/2'), refund(left, 'run/3'), refund(left, 'run/4')]);
    expect(answers.filter((answer) => (answer as { refunded: boolean }).refunded)).toHaveLength(1);
    expect(answers).toContainEqual({
      refunded: false,
      order: 'A-1001',
      why: 'refunds would exceed the total of the order',
    });
    const done = answers.findIndex((answer) => (answer as { refunded: boolean }).refunded);
    expect(await refund(left, `run/${done + 2}`)).toEqual(answers[done]);
    expect(await refunds()).toHaveLength(2);
    expect(await refund(1, 'run/5', 'A-404')).toEqual({
      refunded: false,
      order: 'A-404',
      why: 'there is no such order',
    });
  });

  it('cannot change an order or a refund with the login they run under', async () => {
    for (const statement of [
      'UPDATE shop.orders SET total_cents = 0',
      'DELETE FROM shop.refunds',
      'UPDATE shop.refunds SET amount_cents = 1',
    ])
      await expect(rig.execute.query(statement)).rejects.toMatchObject({ code: '42501' });
  });
});

describe('the script of the refund desk', () => {
  it('claims no more tokens than its conversation has bytes, and each skill call does what it is there for', async () => {
    const agent = refundDesk();
    const { registry } = rig.deps();
    const lines = await readScript(`${agentsFolder}/scripts`, 'refund-desk');
    const provider = scriptedProvider(`${agentsFolder}/scripts`);
    const tools = registry.schemas(agent.skills);
    const { system } = conversationOf([{ role: 'system', text: agent.instructions }]);
    const messages: Message[] = [{ role: 'user', text: 'go' }];
    let bytes = Buffer.byteLength(toolsText(tools) + system + 'go');
    const fits: boolean[][] = [];
    while (fits.length < lines.length) {
      const request: ModelRequest = {
        model: 'refund-desk',
        system,
        tools,
        messages,
        maxOutputTokens: 4096,
        attempt: 1,
      };
      const reply = await provider.call(request, { signal: new AbortController().signal });
      expect([reply.usage.inputTokens <= bytes, reply.usage.reported, reply.finishReason === 'length']).toEqual([
        true,
        true,
        false,
      ]);
      fits.push(
        reply.toolCalls.map((call) => registry.problemsOf(call.name, JSON.parse(call.argumentsText)).length === 0),
      );
      messages.push({ role: 'assistant', text: reply.text, toolCalls: reply.toolCalls });
      // Without the results of its calls: the bound must hold whatever they say.
      bytes += Buffer.byteLength(answerText(reply.text, reply.toolCalls));
    }
    expect(fits).toEqual([[true, true, true], [false], [true], [true], [true], []]);
  });
});
