/**
 * A content as a reader sees it: text, cut to a length, with the digest that stands for it everywhere else. The text is
 * null when the content was deleted or never stored. Pure.
 */
import { asDigest, type Digest } from '../domain/ids.js';

export type ShownText = {
  readonly digest: Digest;
  readonly text: string | null;
  /** Whether there is more of it than `text`. */
  readonly cut: boolean;
};

/** A row of execute.v_shown, or of nothing: `bytes` and `byteCount` are null then. `bytes` may be cut already. */
export type ShownRow = {
  readonly digest: string;
  readonly bytes: Uint8Array | null;
  readonly byteCount: number | null;
};

/** @param maxBytes at most this much of it; a character that the cut divides is left out */
export function shownText({ digest, bytes, byteCount }: ShownRow, maxBytes: number): ShownText {
  if (bytes === null || byteCount === null) return { digest: asDigest(digest), text: null, cut: false };
  const kept = bytes.subarray(0, maxBytes);
  const cut = kept.length < byteCount;
  return { digest: asDigest(digest), text: new TextDecoder().decode(kept, { stream: cut }), cut };
}

/** A model's last answer is stored with the calls in it, of which the last has none; any other content is its own text. */
export function answerOf(shown: ShownText): ShownText {
  if (shown.text === null || shown.cut) return shown;
  try {
    const stored = JSON.parse(shown.text) as unknown;
    if (typeof stored === 'object' && stored !== null && 'content' in stored && 'toolCalls' in stored)
      return typeof stored.content === 'string' ? { ...shown, text: stored.content } : shown;
  } catch {
    // Not of a model: an own workflow's answer.
  }
  return shown;
}
