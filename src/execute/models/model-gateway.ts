/**
 * The interface of a model provider: one request, one answer, no retries. A provider deliberately knows nothing of
 * policies, budgets or runs; the request holds the limit that it must keep.
 */
import type { Usage } from '../../domain/attempt.js';

export type ToolSchema = {
  readonly name: string;
  readonly description: string;
  readonly inputSchema: Readonly<Record<string, unknown>>;
};
/** A tool call as the model wrote it; the arguments are text until they are parsed against the skill. */
export type CalledTool = { readonly id: string; readonly name: string; readonly argumentsText: string };
export type Message =
  | { readonly role: 'user'; readonly text: string }
  | { readonly role: 'assistant'; readonly text: string; readonly toolCalls: readonly CalledTool[] }
  | { readonly role: 'tool'; readonly callId: string; readonly name: string; readonly text: string };

export type Conversation = {
  readonly system: string;
  readonly tools: readonly ToolSchema[];
  readonly messages: readonly Message[];
};
export type ModelRequest = Conversation & {
  /** Without the provider: `gpt-5-mini`. */
  readonly model: string;
  readonly maxOutputTokens: number;
  readonly attempt: number;
};
export type ModelReply = {
  readonly text: string;
  readonly toolCalls: readonly CalledTool[];
  readonly usage: Usage;
  /** `length` when the answer was cut at its limit. */
  readonly finishReason: string;
  readonly reportedModel: string;
};

export interface ModelProvider {
  /** The part before the slash: `openai` serves `openai/gpt-5-mini`. */
  readonly id: string;
  /** @throws whatever happened; classify.ts says what it means. */
  call(request: ModelRequest, inFlight: { readonly signal: AbortSignal }): Promise<ModelReply>;
}
