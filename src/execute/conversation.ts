/**
 * From stored entries to what a model is asked, and from its answer to a stored entry. Pure; the stored form is JSON of
 * ROK's own, so that another provider can continue the same conversation.
 */
import { z } from 'zod';
import { RokError } from '../domain/errors.js';
import type { LoadedEntry } from './context-chain.js';
import type { CalledTool, Conversation, Message, ToolSchema } from './models/model-gateway.js';

const storedAnswer = z.object({
  content: z.string(),
  toolCalls: z.array(z.object({ id: z.string(), name: z.string(), argumentsText: z.string() })),
});
const storedTools = z.array(
  z.object({ name: z.string(), description: z.string(), inputSchema: z.record(z.string(), z.unknown()) }),
);

export const toolsText = (tools: readonly ToolSchema[]): string => JSON.stringify(tools);
export const answerText = (content: string, toolCalls: readonly CalledTool[]): string =>
  JSON.stringify({ content, toolCalls: toolCalls.map(({ id, name, argumentsText }) => ({ id, name, argumentsText })) });

/** @throws RokError content_changed when a stored answer or tool list is not what this module wrote */
export function conversationOf(entries: readonly LoadedEntry[]): Conversation {
  return {
    system: entries
      .filter((entry) => entry.role === 'system')
      .map((entry) => entry.text)
      .join('\n\n'),
    tools: entries.filter((entry) => entry.role === 'tools').flatMap((entry) => parsed(storedTools, entry.text)),
    messages: entries.flatMap(messagesOf),
  };
}

function messagesOf(entry: LoadedEntry): readonly Message[] {
  switch (entry.role) {
    case 'tools':
    case 'system':
      return [];
    case 'user':
      return [{ role: 'user', text: entry.text }];
    case 'assistant': {
      const { content, toolCalls } = parsed(storedAnswer, entry.text);
      return [{ role: 'assistant', text: content, toolCalls }];
    }
    case 'tool':
      return [{ role: 'tool', callId: entry.callId ?? '', name: entry.skill ?? '', text: entry.text }];
  }
}

function parsed<T>(schema: z.ZodType<T>, text: string): T {
  try {
    return schema.parse(JSON.parse(text));
  } catch {
    throw new RokError('content_changed', 'a stored entry of the conversation is not what was written');
  }
}
