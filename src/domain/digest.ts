/**
 * Digests with a domain tag: the same bytes under two tags never have the same digest, and parts are length-prefixed so
 * that ("ab","c") and ("a","bc") differ. Pure JavaScript, because workflow code computes them too.
 */
import { sha256 } from '@noble/hashes/sha2.js';
import { bytesToHex, utf8ToBytes } from '@noble/hashes/utils.js';
import { canonicalJson } from './canonical-json.js';
import type { Digest } from './ids.js';
import type { Json } from './json.js';

/** Every tag in use; a new kind of digest gets a new tag. */
export const DIGEST_TAGS = {
  request: 'rok.request.v1',
  action: 'rok.action.v1',
  act: 'rok.act.v1',
  raise: 'rok.raise.v1',
  fate: 'rok.fate.v1',
  context: 'rok.context.v1',
  opening: 'rok.opening.v1',
  settings: 'rok.settings.v1',
  spec: 'rok.spec.v1',
  agent: 'rok.agent.v1',
  snapshot: 'rok.snapshot.v1',
  policySet: 'rok.policy-set.v1',
  priceTable: 'rok.price-table.v1',
  result: 'rok.result.v1',
  outcome: 'rok.outcome.v1',
  message: 'rok.message.v1',
  contract: 'rok.contract.v1',
  trace: 'rok.trace.v1',
  receipt: 'rok.receipt.v1',
  record: 'rok.record.v1',
} as const;
export type DigestTag = (typeof DIGEST_TAGS)[keyof typeof DIGEST_TAGS];

/** SHA-256 over tag and parts, each preceded by its length in bytes (8 bytes, big endian). */
export function digest(tag: DigestTag, ...parts: readonly string[]): Digest {
  const hash = sha256.create();
  for (const part of [tag, ...parts]) {
    const bytes = utf8ToBytes(part);
    hash.update(lengthPrefix(bytes.length)).update(bytes);
  }
  return bytesToHex(hash.digest()) as Digest;
}

/** SHA-256 of bytes as they are, in hexadecimal: for chains whose rule puts the tag in by itself. */
export const sha256Hex = (bytes: Uint8Array): Digest => bytesToHex(sha256(bytes)) as Digest;

/** Digest of a value's canonical JSON. @throws CanonicalJsonError when it has none */
export const digestJson = (tag: DigestTag, value: Json): Digest => digest(tag, canonicalJson(value));

/** A model call's settings, or the arguments of a step of an own workflow: these under the run's salt, because they can be short. */
export const settingsDigest = (value: Json, salt?: string): Digest =>
  salt === undefined
    ? digestJson(DIGEST_TAGS.settings, value)
    : digest(DIGEST_TAGS.settings, salt, canonicalJson(value));

function lengthPrefix(length: number): Uint8Array {
  const prefix = new Uint8Array(8);
  new DataView(prefix.buffer).setBigUint64(0, BigInt(length));
  return prefix;
}
