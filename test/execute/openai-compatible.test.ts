import { afterEach, describe, expect, it } from '@jest/globals';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { classifyModelError } from '../../src/execute/calls/classify.js';
import type { ModelRequest } from '../../src/execute/models/model-gateway.js';
import { openAiCompatibleProvider } from '../../src/execute/models/openai-compatible.js';
import { startOpenAiServer, type OpenAiAnswer, type OpenAiServer } from './openai-server.js';

let folder: string;
let server: OpenAiServer;
afterEach(async () => {
  await server.close();
  await rm(folder, { recursive: true, force: true });
});

async function serving(...answers: readonly OpenAiAnswer[]) {
  folder = await mkdtemp(join(tmpdir(), 'rok-openai-'));
  server = await startOpenAiServer({ answers, logFile: join(folder, 'requests.jsonl') });
  return openAiCompatibleProvider({ name: 'local', baseUrl: server.baseUrl, apiKey: 'k' });
}

const request: ModelRequest = {
  model: 'tiny',
  system: 'Be brief.',
  tools: [
    {
      name: 'orders.lookup',
      description: 'looks up',
      inputSchema: { type: 'object', properties: { order: { type: 'string' } }, required: ['order'] },
    },
  ],
  messages: [{ role: 'user', text: 'Where is A-1?' }],
  maxOutputTokens: 77,
  attempt: 1,
};
const live = { signal: new AbortController().signal };
const failure = async (promise: Promise<unknown>): Promise<unknown> =>
  promise.then(
    () => 'answered',
    (error: unknown) => classifyModelError(error, new Date()),
  );

describe('an OpenAI-compatible provider', () => {
  it('asks once with system, tools and limit, and answers with text, calls and usage', async () => {
    const provider = await serving({
      content: 'looking',
      toolCalls: [{ id: 'c9', name: 'orders.lookup', arguments: { order: 'A-1' } }],
      usage: { inputTokens: 31, outputTokens: 9, cachedInputTokens: 8, reasoningTokens: 2 },
      model: 'tiny-2026',
    });
    expect(await provider.call(request, live)).toEqual({
      text: 'looking',
      toolCalls: [{ id: 'c9', name: 'orders.lookup', argumentsText: '{"order":"A-1"}' }],
      usage: { inputTokens: 31, outputTokens: 9, cachedInputTokens: 8, reasoningTokens: 2, reported: true },
      finishReason: 'tool-calls',
      reportedModel: 'tiny-2026',
    });
    const [asked, answered, ...more] = server.log();
    expect(more).toEqual([]);
    expect(answered).toMatchObject({ event: 'answer', did: 'answered' });
    expect(asked?.authorized).toBe(true);
    expect(asked?.body).toMatchObject({
      model: 'tiny',
      max_tokens: 77,
      messages: [
        { role: 'system', content: 'Be brief.' },
        { role: 'user', content: 'Where is A-1?' },
      ],
      tools: [{ type: 'function', function: { name: 'orders_lookup', parameters: { required: ['order'] } } }],
    });
  });

  it('gives the conversation back in the order it was had', async () => {
    const provider = await serving({}, { content: 'done' });
    const messages: ModelRequest['messages'] = [
      ...request.messages,
      {
        role: 'assistant',
        text: '',
        toolCalls: [{ id: 'c1', name: 'orders.lookup', argumentsText: '{"order": "A-1"}' }],
      },
      { role: 'tool', callId: 'c1', name: 'orders.lookup', text: '{"found":true}' },
    ];
    const reply = await provider.call({ ...request, messages }, live);
    expect([reply.text, reply.finishReason]).toEqual(['done', 'stop']);
    expect(server.log()[0]?.body?.messages.slice(2)).toEqual([
      {
        role: 'assistant',
        content: null,
        tool_calls: [{ id: 'c1', type: 'function', function: { name: 'orders_lookup', arguments: '{"order":"A-1"}' } }],
      },
      { role: 'tool', tool_call_id: 'c1', content: '{"found":true}' },
    ]);
  });

  it('keeps arguments as the model wrote them: rounded numbers, broken JSON, unknown tools', async () => {
    const provider = await serving({
      toolCalls: [
        { id: 'a', name: 'orders.lookup', arguments: '{"order": 9007199254740993}' },
        { id: 'b', name: 'orders.lookup', arguments: '{"order": "A' },
        { id: 'c', name: 'rm.everything', arguments: '{}' },
      ],
    });
    expect((await provider.call(request, live)).toolCalls).toEqual([
      { id: 'a', name: 'orders.lookup', argumentsText: '{"order": 9007199254740993}' },
      { id: 'b', name: 'orders.lookup', argumentsText: '{"order": "A' },
      { id: 'c', name: 'rm_everything', argumentsText: '{}' },
    ]);
  });

  it('says so when the server reports no usage, and when it cut the answer', async () => {
    const provider = await serving({ content: 'cut of', usage: null, finishReason: 'length' });
    const reply = await provider.call(request, live);
    expect(reply.usage.reported).toBe(false);
    expect(reply.finishReason).toBe('length');
  });

  it.each([
    ['inside the completion, where the total is without it', 1_000, 300, 200, 1_300, [300, 200]],
    ['beside it, where the total has all three', 1_000, 300, 200, 1_500, [500, 200]],
    ['beside it, where it is more than the completion', 2_904, 8, 4_300, 7_212, [4_308, 4_300]],
    ['the dearer way where there is no total', 1_000, 300, 200, null, [500, 200]],
    ['the dearer way where the total agrees with neither', 1_000, 300, 200, 1_400, [500, 200]],
    ['as the total says where nothing else tells of it', 1_000, 300, 0, 1_700, [700, 0]],
    ['as nothing where there is none', 1_000, 300, 0, 1_300, [300, 0]],
  ] as const)('counts reasoning %s', async (_, inputTokens, outputTokens, reasoningTokens, totalTokens, expected) => {
    const provider = await serving({
      content: 'x',
      usage: { inputTokens, outputTokens, reasoningTokens, totalTokens },
    });
    const { usage } = await provider.call(request, live);
    expect([usage.inputTokens, usage.outputTokens, usage.reasoningTokens]).toEqual([inputTokens, ...expected]);
  });

  it.each<readonly [OpenAiAnswer, object]>([
    [
      { fault: 429, retryAfter: '3' },
      { status: 'failed', code: 'provider_rate_limited', retryAfterMs: 3_000 },
    ],
    [{ fault: 401 }, { status: 'failed', code: 'provider_refused' }],
    [{ fault: 500 }, { status: 'unknown', cause: 'http 500' }],
    [{ fault: 307 }, { status: 'unknown', cause: 'http 307' }],
    [
      { fault: 'cut', content: 'x'.repeat(500) },
      { status: 'unknown', cause: 'unreadable answer (http 200)' },
    ],
    [{ fault: 'reset' }, { status: 'unknown', cause: 'error ECONNRESET' }],
  ])('tries once and is classified: %j', async (answer, expected) => {
    const provider = await serving(answer);
    expect(await failure(provider.call(request, live))).toEqual(expected);
    expect(server.log().filter((line) => line.event === 'request')).toHaveLength(1);
  });

  it('is unreachable, and certainly not charged, where nothing listens', async () => {
    const provider = await serving({});
    await server.close();
    expect(await failure(provider.call(request, live))).toEqual({ status: 'failed', code: 'provider_unreachable' });
  });

  it('lets go of a hanging call at its signal', async () => {
    const provider = await serving({ fault: 'hang' });
    const controller = new AbortController();
    const called = failure(provider.call(request, { signal: controller.signal }));
    while (server.log().length < 2) await new Promise((resolve) => setTimeout(resolve, 5));
    controller.abort();
    expect(await called).toEqual({ status: 'unknown', cause: 'aborted' });
    while (server.log().length < 3) await new Promise((resolve) => setTimeout(resolve, 5));
    expect(server.log().map((line) => line.event)).toEqual(['request', 'answer', 'closed']);
  });
});
