/**
 * Builds the statement of a receipt from the verdict's row and the records that it judged. The same verdict always
 * gives the same text: canonical JSON, large counts as strings, records by the digest of their text.
 */
import { canonicalJson } from '../../domain/canonical-json.js';
import { digest, DIGEST_TAGS } from '../../domain/digest.js';
import type { Digest } from '../../domain/ids.js';
import type { Finding, VerdictStatus } from '../../domain/verdict.js';
import type { Version } from '../evidence/evidence.js';
import type { RecordDigests } from '../evidence/records.js';

export type Facts = {
  readonly phase: string | null;
  readonly outcome: string | null;
  readonly traceLength: string;
  readonly traceHash: string | null;
  readonly allow: number;
  readonly deny: number;
  readonly pause: number;
  /** Calls that a model asked for and that came to no decision; not in version 1. */
  readonly refusedCalls?: number;
  readonly attempts: number;
  readonly unknowns: number;
  readonly spentMicros: string;
  readonly spentTokens: string;
  readonly policySets: readonly string[];
  readonly priceTables: readonly string[];
};
type ReceiptContract = {
  readonly digest: Digest;
  readonly tenant: string;
  readonly agent: string;
  readonly profile: string;
  readonly runDeadline: string;
  readonly finalizeDue: string;
  readonly expiresAt: string;
};
type ReceiptVerdict = {
  readonly revision: number;
  /** The revision this one takes the place of. */
  readonly supersedes: number | null;
  readonly status: VerdictStatus;
  readonly findings: readonly Finding[];
  readonly judgedAt: string;
};
export type Receipt = {
  readonly version: Version;
  /** Whose chain: the tenant, or `-` for strays. */
  readonly chain: string;
  readonly n: string;
  /** Hash of receipt n − 1; zeros before the first. */
  readonly prev: string;
  readonly run: string;
  /** Null for a stray. */
  readonly contract: ReceiptContract | null;
  readonly verdict: ReceiptVerdict;
  /** Null for a stray, and where the judge could not read the data; decisions, attempts and results then are not stated. */
  readonly facts: Facts | null;
  /** Digest of each record's text, by its key; of the verdict's row. */
  readonly records: RecordDigests & { readonly verdict: Digest };
};

/** Whether nothing more can come. */
export const isOver = ({ phase }: Facts): boolean => phase === 'COMPLETED' || phase === 'FAILED';

export const NO_RECEIPT = '0'.repeat(64);

/** A verdict's row as the one text that is hashed. */
export const verdictText = ({ revision, status, findings, judgedAt }: Omit<ReceiptVerdict, 'supersedes'>): string =>
  canonicalJson({ revision, status, findings, judgedAt });
export const receiptText = (receipt: Receipt): string => canonicalJson(receipt);
/** What a receipt that was verified says. */
export const statedBy = (jws: string): Receipt =>
  JSON.parse(Buffer.from(jws.split('.')[1] ?? '', 'base64url').toString('utf8')) as Receipt;
/** Names a receipt in the chain: over the JWS as it is stored. */
export const receiptHash = (jws: string): Digest => digest(DIGEST_TAGS.receipt, jws);
