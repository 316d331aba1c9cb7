/** Models behind a real HTTP server, and what they count: tiny prompts, answers one token too long, reasoning beside them. */
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { uuidOf } from '../../src/domain/ids.js';
import { startOpenAiServer, type OpenAiAnswer, type OpenAiServer } from '../execute/openai-server.js';
import { createRig, type Rig } from './rig.js';
import { deployAgents } from './scripted-agents.js';

/** Of a provider each; micro-USD a token: 1.25 in, 2.50 out, 0.20 cached. */
const MODELS: Readonly<Record<string, { readonly answer: OpenAiAnswer; readonly maxOutputTokens: number }>> = {
  // What a template made of a prompt of a few letters: 80 tokens where the prompt has 2.
  openai: { answer: { content: 'hi', usage: { inputTokens: 80, outputTokens: 2 } }, maxOutputTokens: 500 },
  groq: { answer: { content: 'long', usage: { inputTokens: 10, outputTokens: 501 } }, maxOutputTokens: 500 },
  mistral: {
    answer: {
      content: 'ok',
      usage: {
        inputTokens: 10_120,
        outputTokens: 1_499,
        cachedInputTokens: 128,
        reasoningTokens: 2_809,
        totalTokens: 14_428,
      },
    },
    maxOutputTokens: 8_192,
  },
};
const PRICES = { input_cost_per_token: 1.25e-6, output_cost_per_token: 2.5e-6, cache_read_input_token_cost: 2e-7 };

describe('a model', () => {
  let rig: Rig;
  let folder: string;
  const servers: OpenAiServer[] = [];
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'rok-small-'));
    const env: NodeJS.ProcessEnv = await deployAgents(folder, {});
    const prices: Record<string, object> = {};
    for (const [provider, { answer, maxOutputTokens }] of Object.entries(MODELS)) {
      const server = await startOpenAiServer({ answers: [answer], logFile: join(folder, `${provider}.jsonl`) });
      servers.push(server);
      env[`${provider.toUpperCase()}_BASE_URL`] = server.baseUrl;
      env[`${provider.toUpperCase()}_API_KEY`] = 'test';
      prices[`${provider}/fake-1`] = PRICES;
      const agent = { name: provider, model: `${provider}/fake-1`, instructions: 'x', skills: [], maxOutputTokens };
      await writeFile(join(folder, 'agents', `${provider}.yaml`), JSON.stringify(agent));
    }
    const free = { input_cost_per_token: 0, output_cost_per_token: 0 };
    await writeFile(join(folder, 'prices.json'), JSON.stringify({ ...prices, 'scripted/refund-desk': free }));
    rig = await createRig({ env });
  }, 60_000);
  afterAll(async () => {
    await rig.close();
    for (const server of servers) await server.close();
    await rm(folder, { recursive: true, force: true });
  });

  const ran = async (agent: string, input: string) => {
    const handle = await rig.start(`rok/acme/${agent}-${input.length}`, {
      tenant: 'acme',
      agent,
      input,
      actor: { local: 'alice' },
    });
    const result = await handle.result();
    const [verdict] = await rig.stack.admin.query<{ findings: readonly { readonly code: string }[] }>(
      'SELECT findings FROM audit.v_verdicts WHERE run_id = $1',
      [uuidOf(result.run)],
    );
    return { ...result, codes: verdict?.findings.map(({ code }) => code) };
  };

  it.each(['a', 'hello', 'a prompt of 20 bytes'])(
    'with a tiny prompt and no tools is no OVERRUN: %j',
    async (input) => {
      expect(await ran('openai', input)).toMatchObject({
        outcome: 'succeeded',
        verdict: 'COMPLETE',
        spentMicros: '105',
        codes: [],
      });
    },
    60_000,
  );

  it('that answers one token more than it was granted is an OVERRUN, whatever its prompt left over', async () => {
    expect(await ran('groq', 'x'.repeat(2_000))).toMatchObject({ verdict: 'INCOMPLETE', codes: ['OVERRUN'] });
  }, 60_000);

  it('is paid for the reasoning that stands beside its completion', async () => {
    expect(await ran('mistral', 'x'.repeat(12_000))).toMatchObject({
      outcome: 'succeeded',
      verdict: 'COMPLETE',
      spentMicros: '23286',
    });
  }, 60_000);
});
