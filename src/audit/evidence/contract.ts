/**
 * A contract as it was declared: its bytes, its digest, and the parsed content. PostgreSQL makes it (audit.declare).
 * Here it is only read and never encoded again: a verifier hashes the stored bytes.
 */
import { digest, DIGEST_TAGS } from '../../domain/digest.js';
import type { Digest } from '../../domain/ids.js';

export type Expectation = {
  readonly domain: string;
  readonly action: string;
  readonly condition: 'always' | 'if_failed';
  readonly due: 'open' | 'finalize';
  readonly dueAt: string;
};
export type Contract = {
  readonly version: 1;
  readonly run: string;
  readonly tenant: string;
  readonly agent: string;
  readonly profile: string;
  readonly declaredAt: string;
  readonly runDeadline: string;
  readonly finalizeDue: string;
  readonly expiresAt: string;
  readonly expectations: readonly Expectation[];
};

export const contractDigest = (text: string): Digest => digest(DIGEST_TAGS.contract, text);

/** Null when `text` is not a contract of this version. */
export function parseContract(text: string): Contract | null {
  const value = parseObject(text);
  return value !== null &&
    value['version'] === 1 &&
    typeof value['run'] === 'string' &&
    Array.isArray(value['expectations'])
    ? (value as Contract)
    : null;
}

/** An object, or null for whatever else `text` holds. */
export function parseObject(text: string): Readonly<Record<string, unknown>> | null {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null && !Array.isArray(value)
      ? (value as Record<string, unknown>)
      : null;
  } catch {
    return null;
  }
}
