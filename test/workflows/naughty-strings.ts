/** Strings that broke other software, and those that broke this: the big list where it is present, a small one of our own else. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { sharedData } from '../corpus/recording.js';

const OWN: readonly string[] = [
  'ticket #5',
  'ops@example.org',
  'c2lnbmVk+/==',
  'x'.repeat(129),
  'x'.repeat(256),
  'x'.repeat(257),
  'x'.repeat(9_000),
  'a\0b',
  '\0',
  ' ',
  '\u202Egnp',
  'ﷺ',
  '👩‍👩‍👧',
  '\uFEFF',
  '\r\n',
  "'; DROP TABLE decide.runs; --",
  '<script>alert(1)</script>',
  '%s%n${7*7}{{7*7}}',
  '__proto__',
  'constructor',
  'undefined',
  '../../etc/passwd',
  '-9007199254740993',
  '0.1',
];

/** `sharedList` says whether the big list is among them. */
export function naughtyStrings(): { readonly strings: readonly string[]; readonly sharedList: boolean } {
  try {
    const big = JSON.parse(readFileSync(join(sharedData, 'strings', 'blns.json'), 'utf8')) as readonly string[];
    return { strings: [...OWN, ...big.filter((text) => text !== '')], sharedList: true };
  } catch {
    return { strings: OWN, sharedList: false };
  }
}
