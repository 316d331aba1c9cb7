/**
 * Converts stored entries to a model's request, and a model's answer to a stored entry. Pure. The stored form is JSON
 * of ROK's own, so that another provider can continue the conversation. Ids of calls are not stored, because providers
 * invent new ones each time: equal answers have equal digests. Each result names its call by the calls' order.
 */
import { z } from 'zod';
import { RokError } from '../../domain/errors.js';
import type { LoadedEntry } from './context-chain.js';
import type { CalledTool, Conversation, Message, ToolSchema } from '../models/model-gateway.js';

const storedAnswer = z.object({
  content: z.string(),
  toolCalls: z.array(z.object({ name: z.string(), argumentsText: z.string() })),
});
const storedTools = z.array(
  z.object({ name: z.string(), description: z.string(), inputSchema: z.record(z.string(), z.unknown()) }),
);

export const toolsText = (tools: readonly ToolSchema[]): string => JSON.stringify(tools);
export const answerText = (content: string, toolCalls: readonly CalledTool[]): string =>
  JSON.stringify({ content, toolCalls: toolCalls.map(({ name, argumentsText }) => ({ name, argumentsText })) });

/** @throws RokError content_changed when a stored answer or tool list is not what this module wrote */
export function conversationOf(entries: readonly LoadedEntry[]): Conversation {
  return {
    system: entries
      .filter((entry) => entry.role === 'system')
      .map((entry) => entry.text)
      .join('\n\n'),
    tools: entries.filter((entry) => entry.role === 'tools').flatMap((entry) => parsed(storedTools, entry.text)),
    messages: entries.flatMap((entry, at) => messagesOf(entry, (call) => entries[at + 1 + call])),
  };
}

function messagesOf(entry: LoadedEntry, resultOf: (call: number) => LoadedEntry | undefined): readonly Message[] {
  switch (entry.role) {
    case 'tools':
    case 'system':
      return [];
    case 'user':
      return [{ role: 'user', text: entry.text }];
    case 'assistant': {
      const { content, toolCalls } = parsed(storedAnswer, entry.text);
      return [
        {
          role: 'assistant',
          text: content,
          toolCalls: toolCalls.map((call, at) => ({ id: idOf(resultOf(at)), ...call })),
        },
      ];
    }
    case 'tool':
      return [{ role: 'tool', callId: entry.callId ?? '', name: entry.skill ?? '', text: entry.text }];
  }
}

/** Of the call that this entry is the result of. */
function idOf(result: LoadedEntry | undefined): string {
  if (result?.role === 'tool' && result.callId !== undefined) return result.callId;
  throw new RokError('content_changed', 'a call of the conversation has no result');
}

function parsed<T>(schema: z.ZodType<T>, text: string): T {
  try {
    return schema.parse(JSON.parse(text));
  } catch {
    throw new RokError('content_changed', 'a stored entry of the conversation is not what was written');
  }
}
