/** Cuts untrusted text at its limit: between characters, with a mark that is part of the limit. */
const MARK_BYTES = 80;

/** At most `maxBytes` of UTF-8 (but for a limit smaller than the mark). */
export function cutText(text: string, maxBytes: number): string {
  const bytes = Buffer.from(text, 'utf8');
  if (bytes.length <= maxBytes) return text;
  const kept = wholeCharacters(bytes, Math.max(0, maxBytes - MARK_BYTES));
  return `${bytes.toString('utf8', 0, kept)}\n[cut: the first ${kept} of ${bytes.length} bytes]`;
}

/** The largest end at or before `end` that does not split a character: continuation bytes are 10xxxxxx. */
function wholeCharacters(bytes: Buffer, end: number): number {
  let at = end;
  while (at > 0 && ((bytes[at] ?? 0) & 0xc0) === 0x80) at -= 1;
  return at;
}
