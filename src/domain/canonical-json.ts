/**
 * RFC 8785 canonical JSON over the narrow subset in json.ts. Narrow on purpose: with strings, integers within ±2^53,
 * booleans and null, canonical form is sorted keys and minimal escapes, and two languages cannot disagree about a float.
 */
import type { Json } from './json.js';
import { hasLoneSurrogate } from './text.js';

const MAX_DEPTH = 64;

/** Thrown for a value that has no canonical form; `path` is a JSON pointer to it. */
export class CanonicalJsonError extends Error {
  constructor(
    readonly path: string,
    readonly problem: string,
  ) {
    super(`${path === '' ? '/' : path}: ${problem}`);
    this.name = 'CanonicalJsonError';
  }
}

/**
 * The one text of `value`.
 * @throws CanonicalJsonError for a fraction, NaN, an integer beyond ±2^53, a lone surrogate, undefined, a cycle or more
 *   than 64 levels
 */
export function canonicalJson(value: Json): string {
  return write(value, '', 0);
}

function write(value: unknown, path: string, depth: number): string {
  if (depth > MAX_DEPTH) throw new CanonicalJsonError(path, `nested deeper than ${MAX_DEPTH} levels`);
  if (value === null) return 'null';
  if (typeof value === 'boolean') return value ? 'true' : 'false';
  if (typeof value === 'string') return writeString(value, path);
  if (typeof value === 'number') {
    if (!Number.isSafeInteger(value)) throw new CanonicalJsonError(path, `\`${value}\` is not an integer within ±2^53`);
    return Object.is(value, -0) ? '0' : value.toString();
  }
  if (Array.isArray(value))
    // Array.from, because map passes over holes.
    return `[${Array.from(value, (item, index) => write(item, `${path}/${index}`, depth + 1)).join(',')}]`;
  if (typeof value === 'object') {
    const entries = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0));
    const members = entries.map(
      ([key, item]) => `${writeString(key, path)}:${write(item, `${path}/${key}`, depth + 1)}`,
    );
    return `{${members.join(',')}}`;
  }
  throw new CanonicalJsonError(path, `a ${typeof value} is not JSON`);
}

function writeString(text: string, path: string): string {
  if (hasLoneSurrogate(text)) throw new CanonicalJsonError(path, 'a lone surrogate is not text');
  return JSON.stringify(text);
}
