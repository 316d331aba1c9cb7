/**
 * The shape of a bundle: a receipt and the records it speaks of, each as the very text that was hashed. Whoever verifies
 * hashes those texts; nobody encodes anything again. docs/formats.md says the same for other languages.
 */
import type { JSONWebKeySet } from 'jose';
import type { ChainEvent } from './trace-chain.js';

export type AckRecord = {
  readonly n: number;
  readonly domain: string;
  readonly action: string;
  readonly status: string;
  /** JSON text as PostgreSQL writes it. */
  readonly evidence: string;
  readonly by: string;
  readonly at: string;
};
export type AmendmentRecord = {
  readonly n: number;
  readonly step: number | null;
  readonly attempt: number | null;
  readonly hold: number | null;
  readonly reason: string;
  readonly runDeadline: string;
  readonly finalizeDue: string;
  readonly at: string;
};
export type DecisionRecord = {
  readonly step: number;
  readonly attempt: number;
  readonly kind: string;
  readonly target: string;
  readonly access: string | null;
  readonly effect: string;
  readonly actionDigest: string;
  readonly requestDigest: string;
  readonly argumentsDigest: string;
  readonly contextDigest: string;
  readonly askedOutputTokens: number | null;
  readonly notAfter: string | null;
  readonly snapshotDigest: string;
  readonly policySetDigest: string;
  readonly priceTableDigest: string;
  /** JSON text as PostgreSQL writes it. */
  readonly reasons: string | null;
  readonly notices: string | null;
  readonly decidedAt: string;
};
export type AttemptRecord = {
  readonly step: number;
  readonly attempt: number;
  readonly actionDigest: string;
  readonly nonce: string;
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
  readonly finishedAt: string;
};
export type RecordOf = {
  readonly amendments: AmendmentRecord;
  readonly acks: AckRecord;
  readonly decisions: DecisionRecord;
  readonly attempts: AttemptRecord;
  readonly results: ResultRecord;
};

/** The lists of a bundle in the order in which they are verified, and what one record of each is called. */
export const RECORD_KINDS = {
  amendments: 'amendment',
  acks: 'ack',
  decisions: 'decision',
  attempts: 'attempt',
  results: 'result',
} as const satisfies Record<keyof RecordOf, string>;
export type RecordKind = keyof RecordOf;
export const recordKinds = Object.keys(RECORD_KINDS) as readonly RecordKind[];

/** Names a record among its kind: `3` or, of what belongs to a step, `3.1`. */
export const recordKey = (
  record: { readonly n: number } | { readonly step: number; readonly attempt: number },
): string => ('n' in record ? String(record.n) : `${record.step}.${record.attempt}`);

export type Bundle = Readonly<Record<RecordKind, readonly string[]>> & {
  readonly version: 1;
  readonly run: string;
  /** Compact JWS. */
  readonly receipt: string;
  /** The contract's bytes as text; null for a stray. */
  readonly contract: string | null;
  readonly verdict: string;
  readonly trace: readonly ChainEvent[];
  /** Public keys for convenience: whom to trust is never read from here. */
  readonly keys: JSONWebKeySet;
};

export const bundleText = (bundle: Bundle): string => `${JSON.stringify(bundle)}\n`;
