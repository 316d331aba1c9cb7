/** What a run is started with, and what its model asks for, may be anything: it is refused, or it is kept as it is. */
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { RawValue } from '@temporalio/common';
import { randomUUID } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createRig, type Rig } from './rig.js';
import { call, deployAgents, turn } from './scripted-agents.js';

const AGENTS = {
  plain: { turns: [turn([])] },
  odd: {
    turns: [turn([call('orders\0lookup', {}), call('orders.\uD83Dlookup', {}), call('x'.repeat(300), {})]), turn([])],
  },
};

describe('what comes into a run', () => {
  let rig: Rig;
  let folder: string;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'rok-inputs-'));
    rig = await createRig({ env: await deployAgents(folder, AGENTS) });
  }, 240_000);
  afterAll(async () => {
    await rig.close();
    await rm(folder, { recursive: true, force: true });
  });

  const spec = (input: unknown, agent: keyof typeof AGENTS = 'plain') => ({
    tenant: 'acme',
    agent,
    input,
    actor: { local: 'alice' },
  });
  const start = (given: unknown) => rig.start(`rok/acme/${randomUUID()}`, given);
  /** Bytes as they are, under an encoding that may not be theirs. */
  const bytes = (encoding: string, text: string) =>
    RawValue.fromPayload({
      metadata: { encoding: Buffer.from(encoding) },
      data: Buffer.from(text),
    });
  const deep = `${'['.repeat(100_000)}${']'.repeat(100_000)}`;

  it.each([
    ['a fraction', 0.1],
    ['1e308', 1e308],
    ['an integer above 2^53', 2 ** 53 + 2],
    ['half a surrogate pair', 'a\uD83D'],
    ['66 levels', JSON.parse(`${'['.repeat(66)}${']'.repeat(66)}`) as unknown],
  ])(
    'input %s is refused at the start, and judged',
    async (_name, input) => {
      const handle = await start(spec(input));
      expect(await handle.result()).toMatchObject({
        outcome: 'denied',
        verdict: 'COMPLETE',
        detail: expect.stringMatching(/^input: input has no exact form/) as unknown,
      });
    },
    120_000,
  );

  it.each([
    ['an input of 100,000 levels', bytes('json/plain', JSON.stringify(spec('@')).replace('"@"', deep))],
    ['100,000 levels', bytes('json/plain', deep)],
    ['bytes that are no JSON', bytes('json/plain', '{')],
    ['another encoding', bytes('binary/odd', '\0')],
    ['nothing', undefined],
  ])(
    'a spec that is %s is refused at the start, and judged',
    async (_name, given) => {
      const handle = await start(given);
      expect(await handle.result()).toMatchObject({ outcome: 'denied', verdict: 'COMPLETE' });
    },
    120_000,
  );

  it.each([
    ['a member `__proto__`', JSON.parse('{"__proto__":{"a":1},"constructor":{}}') as unknown],
    ['NUL', 'a\0b'],
    ['nothing', ''],
    ['null', null],
  ])(
    'an input with %s is kept as it is',
    async (_name, input) => {
      const handle = await start(spec(input));
      expect(await handle.result()).toMatchObject({ outcome: 'succeeded', verdict: 'COMPLETE' });
    },
    120_000,
  );

  it('a tool under a name that nobody keeps is told to the model, once, and the run goes on', async () => {
    const handle = await start(spec('go', 'odd'));
    expect(await handle.result()).toMatchObject({ outcome: 'succeeded', verdict: 'COMPLETE', attempts: 2 });
  }, 120_000);

  it('signals and updates whose bytes cannot be read end nothing', async () => {
    const handle = await start(spec('go', 'odd'));
    const odd = bytes('binary/odd', '\0');
    await handle.signal('finalize_run', odd).catch(() => undefined);
    await handle.executeUpdate('kill', { args: [odd] }).catch(() => undefined);
    expect(await handle.result()).toMatchObject({ outcome: 'succeeded', verdict: 'COMPLETE' });
  }, 120_000);

  it.each([
    ['id', { id: 'a\0' }],
    ['tenant', { tenant: 'a b' }],
    ['agent', { agent: '__proto__\n' }],
    ['label', { labels: { a: 'b\0' } }],
    ['labels', { labels: JSON.parse('{"__proto__":"x"}') as unknown }],
    ['deadline', { deadline: '0000-01-01T00:00:00Z' }],
    ['actor', { actor: { local: '\0' } }],
  ])(
    'a spec whose %s nobody keeps is refused at the start, and judged',
    async (_name, over) => {
      const handle = await rig.start(`rok/acme/${randomUUID()}`, { ...spec('go'), ...over });
      expect(await handle.result()).toMatchObject({ outcome: 'denied', verdict: 'COMPLETE' });
    },
    120_000,
  );
});
