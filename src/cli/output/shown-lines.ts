/** Formats a content for the terminal: cut, with its digest, and without what could move the reader's cursor. */
import type { ShownText } from '../../reader/read.js';
import { plain } from './print.js';

const NAMED_CHARS = 12;

/** On one line. */
export function shownLine({ digest, text, cut }: ShownText, chars: number): string {
  const named = `(digest ${digest.slice(0, NAMED_CHARS)}…)`;
  if (text === null) return `deleted ${named}`;
  const characters = Array.from(plain(text));
  return `${characters.slice(0, chars).join('')}${cut || characters.length > chars ? '…' : ''} ${named}`;
}

/** With its own line breaks, all lines but the first behind `indent`. */
export function shownBlock({ digest, text, cut }: ShownText, indent: string): string {
  if (text === null) return `deleted (digest ${digest})`;
  const lines = text.split('\n').map((line) => plain(line.replace(/\r$/, '')));
  return `${lines.join(`\n${indent}`)}${cut ? `\n${indent}… (more of it is stored; digest ${digest})` : ''}`;
}
