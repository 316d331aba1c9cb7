import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { classifyModelError } from '../../src/execute/calls/classify.js';
import type { Message, ModelProvider, ModelRequest } from '../../src/execute/models/model-gateway.js';
import { scriptedProvider } from '../../src/execute/models/scripted.js';

let folder: string;
let provider: ModelProvider;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'rok-scripts-'));
  provider = scriptedProvider(folder);
  const lines = [
    {
      content: 'looking',
      toolCalls: [
        { name: 'orders.lookup', arguments: { order: 'A-1' } },
        { name: 'orders.lookup', id: 'mine', argumentsText: '{"order":' },
      ],
      usage: { inputTokens: 20, outputTokens: 10, reasoningTokens: 8 },
      finishReason: 'tool-calls',
    },
    { content: 'no usage' },
    ...(['unknown', 'rate_limited', 'refused', 'hang'] as const).map((fault) => ({ content: 'after', fault })),
  ];
  await writeFile(join(folder, 'desk.jsonl'), `${lines.map((line) => JSON.stringify(line)).join('\n')}\n`);
  await writeFile(join(folder, 'broken.jsonl'), '{"content":"a"}\n{"content":1}\n');
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const answered = (turns: number): readonly Message[] => [
  { role: 'user', text: 'go' },
  ...Array.from({ length: turns }, () => ({ role: 'assistant' as const, text: '', toolCalls: [] })),
];
const asked = (turns: number, changes: Partial<ModelRequest> = {}): ModelRequest => ({
  model: 'desk',
  system: '',
  tools: [],
  messages: answered(turns),
  maxOutputTokens: 100,
  attempt: 1,
  ...changes,
});
const live = { signal: new AbortController().signal };
const fate = (promise: Promise<unknown>): Promise<unknown> =>
  promise.catch((error: unknown) => classifyModelError(error, new Date()));

describe('a scripted model', () => {
  it('answers with the line of the turn, the same every time', async () => {
    const expected = {
      text: 'looking',
      toolCalls: [
        { id: 'call_1_1', name: 'orders.lookup', argumentsText: '{"order":"A-1"}' },
        { id: 'mine', name: 'orders.lookup', argumentsText: '{"order":' },
      ],
      usage: { inputTokens: 20, outputTokens: 10, cachedInputTokens: 0, reasoningTokens: 8, reported: true },
      finishReason: 'tool-calls',
      reportedModel: 'desk',
    };
    expect(await provider.call(asked(0), live)).toEqual(expected);
    expect(await provider.call(asked(0), live)).toEqual(expected);
  });

  it('reports no usage where none was recorded', async () => {
    expect((await provider.call(asked(1), live)).usage.reported).toBe(false);
  });

  it('keeps the output limit: a longer recording is cut and says so', async () => {
    expect(await provider.call(asked(0, { maxOutputTokens: 5 }), live)).toEqual({
      text: 'loo',
      toolCalls: [],
      usage: { inputTokens: 20, outputTokens: 5, cachedInputTokens: 0, reasoningTokens: 5, reported: true },
      finishReason: 'length',
      reportedModel: 'desk',
    });
  });

  it.each([
    [2, { status: 'unknown', cause: 'error ECONNRESET' }],
    [3, { status: 'failed', code: 'provider_rate_limited', retryAfterMs: 1_000 }],
    [4, { status: 'failed', code: 'provider_refused' }],
  ])('suffers a recorded fault in the first attempt of turn %d only', async (turn, expected) => {
    expect(await fate(provider.call(asked(turn), live))).toEqual(expected);
    expect(await provider.call(asked(turn, { attempt: 2 }), live)).toMatchObject({ text: 'after' });
  });

  it('hangs until it is told to stop', async () => {
    const controller = new AbortController();
    const called = fate(provider.call(asked(5), { signal: controller.signal }));
    controller.abort();
    expect(await called).toEqual({ status: 'unknown', cause: 'aborted' });
  });

  it.each([
    ['past its end', asked(6), { status: 'failed', code: 'provider_refused' }],
    ['no such script', asked(0, { model: 'none' }), { status: 'failed', code: 'model_unknown' }],
    ['a path', asked(0, { model: '../desk' }), { status: 'failed', code: 'model_unknown' }],
    ['a line that does not parse', asked(0, { model: 'broken' }), { status: 'failed', code: 'provider_refused' }],
  ])('refuses, and nothing is charged: %s', async (_, request, expected) => {
    expect(await fate(provider.call(request, live))).toEqual(expected);
  });
});
