/** One try of a step and its result. `unknown` stays unknown: the call may have happened, so it is charged in full. */
import type { ErrorCode } from './errors.js';
import type { Digest } from './ids.js';

/** Tokens as the provider reported them; cached and reasoning tokens are parts of input and output. */
export type Usage = {
  readonly inputTokens: number;
  readonly outputTokens: number;
  readonly cachedInputTokens: number;
  readonly reasoningTokens: number;
  /** False when the provider reported nothing: the attempt then settles at its bound. */
  readonly reported: boolean;
};

export const NO_USAGE: Usage = {
  inputTokens: 0,
  outputTokens: 0,
  cachedInputTokens: 0,
  reasoningTokens: 0,
  reported: true,
};

export type AttemptResult =
  | { readonly status: 'succeeded'; readonly contentDigest: Digest; readonly usage: Usage }
  | { readonly status: 'failed'; readonly code: ErrorCode; readonly retryAfterMs?: number }
  | { readonly status: 'unknown'; readonly cause: string };
