/**
 * What makes two starts the same: the spec without its assertion, and who asked. Kept as digests under a secret of the
 * run, because an input can be short enough to guess. decide/lifecycle/repeats.ts compares them.
 */
import { hmac } from '@noble/hashes/hmac.js';
import { sha256 } from '@noble/hashes/sha2.js';
import { bytesToHex, utf8ToBytes } from '@noble/hashes/utils.js';
import { canonicalJson, CanonicalJsonError } from './canonical-json.js';
import type { Digest } from './ids.js';
import type { Json } from './json.js';
import type { PersonKey } from './person.js';
import type { RunSpec } from './run-spec.js';

export type RequestDigests = {
  readonly whole: Digest;
  readonly fields: Readonly<Record<string, Digest>>;
};

const TAG = 'rok.request-identity.v1';

/** Null for a spec that has no canonical form: it is the same as none. */
export function requestDigests(nonce: string, spec: RunSpec, person: PersonKey | null): RequestDigests | null {
  const { actor: _claim, ...asked } = spec;
  const by = person === null ? null : { issuer: person.issuer, subject: person.subject };
  const request: Readonly<Record<string, Json>> = { ...(JSON.parse(JSON.stringify(asked)) as object), person: by };
  const under = (name: string, value: Json): Digest =>
    bytesToHex(hmac(sha256, utf8ToBytes(nonce), utf8ToBytes(canonicalJson([TAG, name, value])))) as Digest;
  try {
    return {
      whole: under('', request),
      fields: Object.fromEntries(Object.entries(request).map(([name, value]) => [name, under(name, value)])),
    };
  } catch (error) {
    if (error instanceof CanonicalJsonError) return null;
    throw error;
  }
}
