/**
 * JSON as evidence must be written, so that no two readers understand it differently: no member twice, integers within
 * ±2^53 in their one form, no half of a surrogate pair, at most 64 levels. Not a general parser: JSON.parse is one.
 */
import { hasLoneSurrogate } from '../../domain/text.js';

const MAX_DEPTH = 64;
const NUMBER = /-?[0-9]+/y;
const ONE_FORM = /^(0|-?[1-9][0-9]*)$/;

export class StrictJsonError extends Error {}

/** @throws StrictJsonError for any other text */
export function parseStrict(text: string): unknown {
  const source: Source = { text, at: 0, names: [] };
  const value = readValue(source, 1);
  skipSpace(source);
  if (source.at !== text.length) throw new StrictJsonError('text after the value');
  return value;
}

/** An object, or null for whatever else `text` holds. */
export function parseStrictObject(text: string): Readonly<Record<string, unknown>> | null {
  try {
    const value = parseStrict(text);
    return typeof value === 'object' && value !== null && !Array.isArray(value)
      ? (value as Record<string, unknown>)
      : null;
  } catch (error) {
    if (error instanceof StrictJsonError) return null;
    throw error;
  }
}

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** The same of a file's bytes, which must be UTF-8 without a mark before them. */
export function parseStrictFile(file: Uint8Array | string): Readonly<Record<string, unknown>> | null {
  if (typeof file === 'string') return parseStrictObject(file);
  let text: string;
  try {
    text = utf8.decode(file);
  } catch {
    return null;
  }
  return parseStrictObject(text);
}

/** `names`: members' names that were read, each in the place of its first two characters: most come again and again. */
type Source = { readonly text: string; at: number; readonly names: string[] };
const [QUOTE, BACKSLASH, OPEN_LIST, CLOSE_LIST, OPEN, CLOSE, COMMA, COLON] = [
  34, 92, 91, 93, 123, 125, 44, 58,
] as const;

const WORDS = [
  ['null', null],
  ['true', true],
  ['false', false],
] as const;

function readValue(source: Source, depth: number): unknown {
  skipSpace(source);
  const { text, at } = source;
  switch (text.charCodeAt(at)) {
    case QUOTE:
      return readString(source);
    case OPEN:
      return readObject(source, depth);
    case OPEN_LIST:
      return readList(source, depth);
  }
  for (const [word, value] of WORDS) {
    if (!text.startsWith(word, at)) continue;
    source.at += word.length;
    return value;
  }
  return readNumber(source);
}

function readObject(source: Source, depth: number): Record<string, unknown> {
  const object: Record<string, unknown> = {};
  for (let first = true; enter(source, depth, CLOSE, first); first = false) {
    skipSpace(source);
    if (source.text.charCodeAt(source.at) !== QUOTE) throw new StrictJsonError('a member without a name');
    const name = readName(source);
    if (Object.hasOwn(object, name)) throw new StrictJsonError('a member is there twice');
    skipSpace(source);
    if (source.text.charCodeAt(source.at) !== COLON) throw new StrictJsonError('a member without a value');
    source.at += 1;
    const value = readValue(source, depth + 1);
    // An assignment to this name would set the prototype.
    if (name !== '__proto__') object[name] = value;
    else Object.defineProperty(object, name, { value, enumerable: true, configurable: true, writable: true });
  }
  return object;
}

function readList(source: Source, depth: number): readonly unknown[] {
  const list: unknown[] = [];
  for (let first = true; enter(source, depth, CLOSE_LIST, first); first = false)
    list.push(readValue(source, depth + 1));
  return list;
}

/** Past the bracket or comma that comes before an entry; false past the closing bracket. */
function enter(source: Source, depth: number, close: number, first: boolean): boolean {
  if (depth > MAX_DEPTH) throw new StrictJsonError(`more than ${MAX_DEPTH} levels`);
  if (!first) skipSpace(source);
  const code = source.text.charCodeAt(source.at);
  if (!first && code === close) {
    source.at += 1;
    return false;
  }
  if (!first && code !== COMMA) throw new StrictJsonError('neither a comma nor an end');
  source.at += 1;
  if (!first) return true;
  skipSpace(source);
  if (source.text.charCodeAt(source.at) !== close) return true;
  source.at += 1;
  return false;
}

/** As readString would, but a name that was read before is not made anew. */
function readName(source: Source): string {
  const { text, at, names } = source;
  const place = (31 * text.charCodeAt(at + 1) + text.charCodeAt(at + 2)) & 255;
  const known = names[place];
  if (known !== undefined && text.startsWith(known, at + 1) && text.charCodeAt(at + 1 + known.length) === QUOTE) {
    source.at = at + known.length + 2;
    return known;
  }
  const name = readString(source);
  // Shorter than it stands there: written with escapes.
  if (source.at === at + name.length + 2) names[place] = name;
  return name;
}

function readString(source: Source): string {
  const { text, at: start } = source;
  let plain = true;
  let paired = true;
  for (let at = start + 1; at < text.length; at += 1) {
    const code = text.charCodeAt(at);
    if (code === QUOTE) {
      source.at = at + 1;
      const value = plain ? text.slice(start + 1, at) : unescaped(text.slice(start, at + 1));
      if ((!plain || !paired) && hasLoneSurrogate(value)) throw new StrictJsonError('half of a surrogate pair');
      return value;
    }
    if (code < 0x20) throw new StrictJsonError('a control character');
    if (code === BACKSLASH) {
      plain = false;
      at += 1;
    } else if (code >= 0xd800 && code <= 0xdfff) paired = false;
  }
  throw new StrictJsonError('a string without an end');
}

/** The escapes of JSON are what JSON.parse takes them for. */
function unescaped(token: string): string {
  try {
    return JSON.parse(token) as string;
  } catch {
    throw new StrictJsonError('an escape that is none');
  }
}

function readNumber(source: Source): number {
  NUMBER.lastIndex = source.at;
  const token = NUMBER.exec(source.text)?.[0] ?? '';
  const value = Number(token);
  // A fraction or an exponent would be left over, and is then neither a comma nor an end.
  if (!ONE_FORM.test(token) || !Number.isSafeInteger(value)) throw new StrictJsonError('not an integer within ±2^53');
  source.at += token.length;
  return value;
}

function skipSpace(source: Source): void {
  for (; ; source.at += 1) {
    const code = source.text.charCodeAt(source.at);
    if (code !== 0x20 && code !== 0x0a && code !== 0x0d && code !== 0x09) return;
  }
}
