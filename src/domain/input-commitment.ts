/**
 * Names a run's first context before anything of it is stored: by the deciding power's commitment to the agent and the
 * input. A nonce prevents guessing a short input from its digest; whoever knows the nonce has read the input anyway.
 */
import { canonicalJson } from './canonical-json.js';
import { digest, DIGEST_TAGS } from './digest.js';
import type { Digest } from './ids.js';
import type { Json } from './json.js';

/** What the executing power has to find again, before it stores the input and the first call begins. */
export type InputCommitment = {
  readonly digest: Digest;
  /** 64 hexadecimal characters. */
  readonly nonce: string;
  /** Upper bound on the input tokens of the first call: tools, instructions and input. */
  readonly tokens: number;
};

export const inputCommitmentDigest = (nonce: string, agentDigest: Digest, input: string): Digest =>
  digest(DIGEST_TAGS.opening, nonce, agentDigest, input);

/** What a model is told of an input. @throws CanonicalJsonError when it has no canonical form */
export const inputText = (input: Json): string => (typeof input === 'string' ? input : canonicalJson(input));
