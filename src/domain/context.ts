/**
 * A conversation as a hash chain: one digest over the base and the additions names each context, so that a step's whole
 * input is one digest in Temporal's history, whatever its size.
 */
import { digest, DIGEST_TAGS } from './digest.js';
import type { Digest } from './ids.js';

export const CONTEXT_ROLES = ['tools', 'system', 'user', 'assistant', 'tool'] as const;
export type ContextRole = (typeof CONTEXT_ROLES)[number];
/** One entry: who said it, the stored content's digest, and for a tool's result the call it answers. */
export type ContextEntry = {
  readonly role: ContextRole;
  readonly content: Digest;
  readonly callId?: string;
  readonly skill?: string;
};
/** A context not yet stored: a stored base and the entries since. */
export type ContextRef = { readonly base: Digest | null; readonly added: readonly ContextEntry[] };

const EMPTY = '0'.repeat(64) as Digest;

/** Folds the entries onto the base; adding nothing names the base itself. */
export function contextDigest(ref: ContextRef): Digest {
  return ref.added.reduce<Digest>(
    (head, entry) =>
      digest(DIGEST_TAGS.context, head, entry.role, entry.content, entry.callId ?? '', entry.skill ?? ''),
    ref.base ?? EMPTY,
  );
}

/** The context digest of an intent that has no conversation, e.g. `run.start`. */
export const NO_CONTEXT = EMPTY;
