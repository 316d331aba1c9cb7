/**
 * A provider that replays a recorded transcript; limits, bounds and warrants apply as for any other. The number of
 * answers in the conversation selects the line, so it keeps no state and survives a crash.
 */
import type { Usage } from '../../domain/attempt.js';
import { RokError } from '../../domain/errors.js';
import type { CalledTool, ModelProvider, ModelReply, ModelRequest } from './model-gateway.js';
import { readScript, type ScriptLine } from './script-file.js';

/** `folder` holds `<name>.jsonl` for each model `scripted/<name>`. */
export function scriptedProvider(folder: string): ModelProvider {
  return {
    id: 'scripted',
    async call(request, { signal }) {
      const turn = request.messages.filter((message) => message.role === 'assistant').length;
      const lines = await readScript(folder, request.model);
      const line = lines[turn];
      if (line === undefined)
        throw new RokError('provider_refused', `script \`${request.model}\` has ${lines.length} answers and no more`);
      if (line.latencyMs !== undefined) await elapsed(line.latencyMs, signal);
      if (line.fault !== undefined && request.attempt === 1) await suffer(line.fault, signal);
      return withinLimit(replyOf(line, request.model, turn), request);
    },
  };
}

function replyOf(line: ScriptLine, name: string, turn: number): ModelReply {
  return {
    text: line.content,
    toolCalls: line.toolCalls.map((call, at) => calledTool(call, `call_${turn + 1}_${at + 1}`)),
    usage: usageOf(line.usage),
    finishReason: line.finishReason,
    reportedModel: line.model ?? name,
  };
}

const calledTool = (call: ScriptLine['toolCalls'][number], id: string): CalledTool => ({
  id: call.id ?? id,
  name: call.name,
  argumentsText: 'argumentsText' in call ? call.argumentsText : JSON.stringify(call.arguments),
});

const usageOf = (usage: ScriptLine['usage']): Usage =>
  usage === undefined
    ? { inputTokens: 0, outputTokens: 0, cachedInputTokens: 0, reasoningTokens: 0, reported: false }
    : { ...usage, reported: true };

/** What a real provider does at its output limit: it stops, in the middle of the text, before any tool call is whole. */
function withinLimit(reply: ModelReply, { maxOutputTokens }: ModelRequest): ModelReply {
  const { outputTokens, reasoningTokens } = reply.usage;
  if (outputTokens <= maxOutputTokens) return reply;
  return {
    ...reply,
    text: reply.text.slice(0, Math.floor((reply.text.length * maxOutputTokens) / outputTokens)),
    toolCalls: [],
    usage: {
      ...reply.usage,
      outputTokens: maxOutputTokens,
      reasoningTokens: Math.min(reasoningTokens, maxOutputTokens),
    },
    finishReason: 'length',
  };
}

async function suffer(fault: NonNullable<ScriptLine['fault']>, signal: AbortSignal): Promise<void> {
  switch (fault) {
    case 'hang':
      return elapsed(null, signal);
    case 'unknown':
      throw Object.assign(new Error('recorded fault: the connection was lost'), { code: 'ECONNRESET' });
    case 'rate_limited':
      throw Object.assign(new Error('recorded fault: too many requests'), {
        statusCode: 429,
        responseHeaders: { 'retry-after': '1' },
      });
    case 'refused':
      throw Object.assign(new Error('recorded fault: refused'), { statusCode: 400 });
  }
}

/** `ms` later, or never when it is null; rejects when the signal aborts. */
function elapsed(ms: number | null, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const abort = (): void => {
      clearTimeout(timer);
      reject(signal.reason as Error);
    };
    const timer =
      ms === null
        ? undefined
        : setTimeout(() => {
            signal.removeEventListener('abort', abort);
            resolve();
          }, ms);
    if (signal.aborted) abort();
    else signal.addEventListener('abort', abort, { once: true });
  });
}
