import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { uuidOf, type RunId } from '../../src/domain/ids.js';
import { inputCommitmentDigest } from '../../src/domain/input-commitment.js';
import type { FirstInput } from '../../src/domain/protocol/execute.js';
import { loadConversation } from '../../src/execute/content/context-chain.js';
import { storeFirstContext, storePromptOverheads } from '../../src/execute/content/first-context.js';
import { tokenUpperBound } from '../../src/domain/tokens.js';
import { createRig, refundDesk, type Rig } from './rig.js';

const agent = refundDesk();
const nonce = 'ab'.repeat(32);

let rig: Rig;
beforeAll(async () => {
  rig = await createRig();
});
afterAll(() => rig.close());

const firstOf = (changes: Partial<FirstInput> = {}): FirstInput => ({
  digest: inputCommitmentDigest(nonce, agent.digest, 'go'),
  nonce,
  tokens: 100_000,
  input: 'go',
  ...changes,
});
const stored = (run: RunId) =>
  rig.stack.admin.query<{ digest: string; opening: boolean; token_count: bigint }>(
    'SELECT digest, opening, token_count FROM execute.contexts WHERE run_id = $1',
    [uuidOf(run)],
  );

it('is stored once under the digest that was committed to, and is loaded as tools, instructions and input', async () => {
  const run = await rig.openRun();
  const first = firstOf();
  for (let again = 0; again < 2; again += 1) await storeFirstContext(rig.deps(), run, agent, first);
  expect(await stored(run)).toMatchObject([{ digest: first.digest, opening: true }]);
  const { entries } = await loadConversation(rig.execute, run, { base: first.digest, added: [] });
  expect(entries.map(({ role }) => role)).toEqual(['tools', 'system', 'user']);
  expect(entries.slice(1).map(({ text }) => text)).toEqual([agent.instructions, 'go']);
});

it('names an input that is JSON by its canonical form', async () => {
  const run = await rig.openRun();
  const digest = inputCommitmentDigest(nonce, agent.digest, '{"a":1,"b":2}');
  await storeFirstContext(rig.deps(), run, agent, firstOf({ digest, input: { b: 2, a: 1 } }));
  const { entries } = await loadConversation(rig.execute, run, { base: digest, added: [] });
  expect(entries[2]?.text).toBe('{"a":1,"b":2}');
});

it.each([
  ['another input', { input: 'go on' }],
  ['another nonce', { nonce: 'cd'.repeat(32) }],
  ['the commitment to another input', { digest: inputCommitmentDigest(nonce, agent.digest, 'go on') }],
])('given %s than was committed to, stores nothing', async (_, changes) => {
  const run = await rig.openRun();
  await expect(storeFirstContext(rig.deps(), run, agent, firstOf(changes))).rejects.toMatchObject({
    code: 'content_changed',
  });
  expect(await stored(run)).toEqual([]);
});

it('given an agent of another configuration, stores nothing', async () => {
  const run = await rig.openRun();
  const other = refundDesk({ instructions: 'other' });
  await expect(storeFirstContext(rig.deps(), run, other, firstOf())).rejects.toMatchObject({ code: 'content_changed' });
  expect(await stored(run)).toEqual([]);
});

it('given fewer tokens than it comes to, stores nothing: the warrant was bounded by them', async () => {
  const [enough, few] = [await rig.openRun(), await rig.openRun()];
  await storeFirstContext(rig.deps(), enough, agent, firstOf());
  const tokens = Number((await stored(enough))[0]?.token_count);
  await storeFirstContext(rig.deps(), enough, agent, firstOf({ tokens }));
  await expect(storeFirstContext(rig.deps(), few, agent, firstOf({ tokens: tokens - 1 }))).rejects.toMatchObject({
    code: 'agent_unknown',
  });
  expect(await stored(few)).toEqual([]);
});

it('counts what each agent brings, input apart, and leaves out an agent whose skills are not here', async () => {
  const run = await rig.openRun();
  const lacking = refundDesk({ name: 'lacking', skills: ['none.such'] });
  const { registry } = rig.deps();
  for (let again = 0; again < 2; again += 1) await storePromptOverheads(rig.execute, registry, [agent, lacking]);
  await storeFirstContext(rig.deps(), run, agent, firstOf());
  const tokens = Number((await stored(run))[0]?.token_count);
  expect(await rig.stack.admin.query('SELECT agent_digest, token_count FROM execute.v_preludes')).toEqual([
    { agent_digest: agent.digest, token_count: tokens - tokenUpperBound('go'.length) },
  ]);
});
