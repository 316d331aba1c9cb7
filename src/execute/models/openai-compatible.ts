/**
 * A provider for any server with OpenAI's chat completions, through the AI SDK: one request, no retries, tools as
 * schemas that nothing here can execute. Arguments that the model wrote are read as text before the SDK parses them,
 * because numbers that JavaScript would round must be refused and not repaired.
 */
import { createOpenAICompatible } from '@ai-sdk/openai-compatible';
import { generateText, jsonSchema, tool, wrapLanguageModel, type ModelMessage, type ToolSet } from 'ai';
import type { Usage } from '../../domain/attempt.js';
import { RokError } from '../../domain/errors.js';
import type { Message, ModelProvider, ModelReply, ModelRequest } from './model-gateway.js';
import { toolNames, type ToolNames } from './tool-names.js';

export type OpenAiCompatibleSettings = {
  readonly name: string;
  /** May be left out where the name says where it is. */
  readonly baseUrl?: string;
  readonly apiKey?: string;
};
type Middleware = Parameters<typeof wrapLanguageModel>[0]['middleware'];
type WrapGenerate = NonNullable<Exclude<Middleware, readonly unknown[]>['wrapGenerate']>;
type Generated = Awaited<ReturnType<WrapGenerate>>;

// The SDK prints its warnings on the console, and stdout belongs to data.
globalThis.AI_SDK_LOG_WARNINGS = false;

const WELL_KNOWN: Readonly<Record<string, string>> = {
  openai: 'https://api.openai.com/v1',
  openrouter: 'https://openrouter.ai/api/v1',
  groq: 'https://api.groq.com/openai/v1',
  mistral: 'https://api.mistral.ai/v1',
  deepseek: 'https://api.deepseek.com/v1',
  together: 'https://api.together.xyz/v1',
  xai: 'https://api.x.ai/v1',
  ollama: 'http://127.0.0.1:11434/v1',
};

/** @throws RokError config_invalid when neither settings nor name say where it is */
export function openAiCompatibleProvider({ name, apiKey, ...given }: OpenAiCompatibleSettings): ModelProvider {
  const baseUrl = given.baseUrl ?? WELL_KNOWN[name];
  if (baseUrl === undefined)
    throw new RokError('config_invalid', `the provider \`${name}\` needs a base URL`, 'set it beside its key');
  const sdk = createOpenAICompatible({
    name,
    baseURL: baseUrl,
    ...(apiKey === undefined ? {} : { apiKey }),
    // A redirect would carry prompt and key elsewhere, and hide whether a first byte was sent.
    fetch: (input, init) => fetch(input, { ...init, redirect: 'manual' }),
    transformRequestBody: (body) => (isOpenAi(baseUrl) ? withCompletionLimit(body) : body),
  });
  return {
    id: name,
    async call(request, { signal }) {
      const names = toolNames(request.tools.map((schema) => schema.name));
      let generated: Generated | undefined;
      const model = wrapLanguageModel({
        model: sdk.chatModel(request.model),
        middleware: {
          specificationVersion: 'v3',
          wrapGenerate: async ({ doGenerate }) => (generated = await doGenerate()),
        },
      });
      const asked = generateText({
        model,
        ...(request.system === '' ? {} : { system: request.system }),
        messages: messagesOf(request.messages, names),
        ...(request.tools.length === 0 ? {} : { tools: toolsOf(request, names) }),
        maxOutputTokens: request.maxOutputTokens,
        maxRetries: 0,
        abortSignal: signal,
      });
      // Once the provider answered, nothing the SDK thinks of the answer makes it unanswered.
      await asked.catch((error: unknown) => {
        if (generated === undefined) throw error;
      });
      if (generated === undefined) throw new Error('the provider gave no answer');
      return replyOf(generated, request.model, names);
    },
  };
}

/** OpenAI's own newer models refuse `max_tokens`; other servers may know nothing else, and must not lose the limit. */
const isOpenAi = (baseUrl: string): boolean => URL.canParse(baseUrl) && new URL(baseUrl).hostname === 'api.openai.com';
const withCompletionLimit = ({ max_tokens, ...body }: Record<string, unknown>): Record<string, unknown> => ({
  ...body,
  max_completion_tokens: max_tokens,
});

const toolsOf = (request: ModelRequest, names: ToolNames): ToolSet =>
  Object.fromEntries(
    request.tools.map(({ name, description, inputSchema }) => [
      names.toWire(name),
      tool({ description, inputSchema: jsonSchema(inputSchema) }),
    ]),
  );

function messagesOf(messages: readonly Message[], names: ToolNames): ModelMessage[] {
  return messages.map((message): ModelMessage => {
    switch (message.role) {
      case 'user':
        return { role: 'user', content: message.text };
      case 'assistant':
        return {
          role: 'assistant',
          content: [
            ...(message.text === '' ? [] : [{ type: 'text' as const, text: message.text }]),
            ...message.toolCalls.map(({ id, name, argumentsText }) => ({
              type: 'tool-call' as const,
              toolCallId: id,
              toolName: names.toWire(name),
              input: parsedOrText(argumentsText),
            })),
          ],
        };
      case 'tool': {
        const output = { type: 'text' as const, value: message.text };
        const toolName = names.toWire(message.name);
        return { role: 'tool', content: [{ type: 'tool-result', toolCallId: message.callId, toolName, output }] };
      }
    }
  });
}

function parsedOrText(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

function replyOf(generated: Generated, asked: string, names: ToolNames): ModelReply {
  return {
    text: generated.content.map((part) => (part.type === 'text' ? part.text : '')).join(''),
    toolCalls: generated.content.flatMap((part) =>
      part.type === 'tool-call'
        ? [{ id: part.toolCallId, name: names.fromWire(part.toolName), argumentsText: part.input }]
        : [],
    ),
    usage: usageOf(generated.usage),
    finishReason: generated.finishReason.unified,
    reportedModel: generated.response?.modelId ?? asked,
  };
}

/** The SDK takes a missing count for 0; only what the server itself wrote counts as reported. */
function usageOf(usage: Generated['usage']): Usage {
  const inputTokens = count(usage.raw?.['prompt_tokens']);
  const outputTokens = count(usage.raw?.['completion_tokens']);
  if (inputTokens === null || outputTokens === null)
    return { inputTokens: 0, outputTokens: 0, cachedInputTokens: 0, reasoningTokens: 0, reported: false };
  const reasoning = count(usage.outputTokens.reasoning) ?? 0;
  const output = answered({ inputTokens, outputTokens, reasoning, total: count(usage.raw?.['total_tokens']) });
  return {
    inputTokens,
    outputTokens: output,
    cachedInputTokens: Math.min(count(usage.inputTokens.cacheRead) ?? 0, inputTokens),
    reasoningTokens: Math.min(reasoning, output),
    reported: true,
  };
}

/**
 * Some servers count reasoning inside the completion, others beside it; only the total says which. Where it is absent or
 * agrees with neither, the dearer reading: nobody is charged twice for long, and nothing is had for nothing.
 */
function answered(told: {
  readonly inputTokens: number;
  readonly outputTokens: number;
  readonly reasoning: number;
  readonly total: number | null;
}): number {
  const { inputTokens, outputTokens, reasoning, total } = told;
  if (total === inputTokens + outputTokens) return outputTokens;
  return Math.max(outputTokens + reasoning, (total ?? 0) - inputTokens);
}

const count = (value: unknown): number | null =>
  typeof value === 'number' && Number.isSafeInteger(value) && value >= 0 ? value : null;
