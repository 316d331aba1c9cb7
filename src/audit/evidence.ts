/** The shape of a bundle: a receipt and the rows it speaks of, with bytes as they were hashed. JSON through and through. */
import type { AckRecord, AmendmentRecord } from './receipt.js';
import type { ChainEvent } from './trace-chain.js';

type DecisionRecord = {
  readonly step: number;
  readonly attempt: number;
  readonly kind: string;
  readonly target: string;
  readonly access: string | null;
  readonly effect: string;
  readonly actionDigest: string;
  readonly policySetDigest: string;
  readonly priceTableDigest: string;
  readonly decidedAt: string;
};
type AttemptRecord = {
  readonly step: number;
  readonly attempt: number;
  readonly actionDigest: string;
  readonly startedAt: string;
};
export type ResultRecord = {
  readonly step: number;
  readonly attempt: number;
  readonly status: string;
  readonly contentDigest: string | null;
  /** Counts as decimal strings. */
  readonly inputTokens: string | null;
  readonly outputTokens: string | null;
  readonly cachedTokens: string | null;
  readonly reasoningTokens: string | null;
  readonly usageReported: boolean | null;
  readonly code: string | null;
  readonly retryAfterMs: string | null;
  readonly cause: string | null;
  readonly reportedModel: string | null;
  readonly finishReason: string | null;
  readonly digest: string;
};
export type Bundle = {
  readonly version: 1;
  readonly run: string;
  /** Compact JWS. */
  readonly receipt: string;
  /** The contract's bytes as text; null for a stray. */
  readonly contract: string | null;
  readonly amendments: readonly AmendmentRecord[];
  readonly acks: readonly AckRecord[];
  readonly trace: readonly ChainEvent[];
  readonly decisions: readonly DecisionRecord[];
  readonly attempts: readonly AttemptRecord[];
  readonly results: readonly ResultRecord[];
};
