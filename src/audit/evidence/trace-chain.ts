/**
 * Follows a trace's hash chain from the contract's digest to its head. Deliberately written apart from PostgreSQL's
 * observe.append, so that a mistake in one shows in the other.
 */
import { sha256Hex } from '../../domain/digest.js';
import { contractDigest } from './contract.js';

export type ChainEvent = { readonly seq: number; readonly at: string; readonly bytes: string; readonly hash: string };
export type ChainAnswer =
  | { readonly ok: true; readonly length: number; readonly hash: string }
  | { readonly ok: false; readonly seq: number; readonly problem: string };
/** SHA-256 of these bytes in hexadecimal. */
export type Sha256 = (bytes: Uint8Array) => string;

const TAG = new TextEncoder().encode('rok.trace.v1');
/** Tag, previous hash, number, time. */
const ROOM = TAG.length + 32 + 16;
/** Bytes of an event are canonical JSON of {body, id, kind}, so its end names it. Neither name holds a quote. */
const NAMES = /,"id":"[A-Za-z0-9._:/-]{1,128}","kind":"[a-z]+\.[a-z_]+"\}$/y;
const CLOSING = '"kind":"run.closing"}';

/** How far a chain was followed; what comes next must follow from it. */
export type ChainPlace = { readonly length: number; readonly hash: string; readonly closed: boolean };
export type ChainStep =
  | { readonly ok: true; readonly place: ChainPlace }
  | { readonly ok: false; readonly seq: number; readonly problem: string };

/** @param root hexadecimal digest of the contract @param sha256 a faster one, for those who have it */
export function followChain(root: string, events: readonly ChainEvent[], sha256: Sha256 = sha256Hex): ChainAnswer {
  const step = followOn(chainStart(root), events, sha256);
  return step.ok ? { ok: true, length: step.place.length, hash: step.place.hash } : step;
}

export const chainStart = (root: string): ChainPlace => ({ length: 0, hash: root, closed: false });

/** The next events of a chain, for who does not have all of them at once. */
export function followOn(from: ChainPlace, events: readonly ChainEvent[], sha256: Sha256 = sha256Hex): ChainStep {
  const hashOf = eventHasher(sha256);
  let { hash, closed } = from;
  let seq = from.length;
  for (const event of events) {
    seq += 1;
    if (event.seq !== seq) return { ok: false, seq, problem: `event ${seq} is not there` };
    const micros = microsOf(event.at);
    if (micros === null) return { ok: false, seq, problem: `event ${seq} has no time` };
    const follows = hashOf(hash, seq, micros, event.bytes);
    if (follows !== event.hash) return { ok: false, seq, problem: `event ${seq} is not what its hash says` };
    if (!isNamed(event.bytes)) return { ok: false, seq, problem: `event ${seq} does not say what it is` };
    if (closed) return { ok: false, seq, problem: `event ${seq} follows the end of the trace` };
    closed = isClosing(event.bytes);
    hash = follows;
  }
  return { ok: true, place: { length: seq, hash, closed } };
}

export const isClosing = (bytes: string): boolean => bytes.endsWith(CLOSING);

export const chainRoot = (contract: string): string => contractDigest(contract);

/** Where the end of an event's bytes begins that says its id and kind. */
export const namesAt = (bytes: string): number => Math.max(0, bytes.lastIndexOf(',"id":"'));

function isNamed(bytes: string): boolean {
  NAMES.lastIndex = namesAt(bytes);
  return NAMES.test(bytes);
}

/** What the end of an event's bytes says, which was checked before. */
export function namesOf(bytes: string): { readonly id: string; readonly kind: string } {
  const [id = '', kind = ''] = bytes.slice(namesAt(bytes) + ',"id":"'.length, -'"}'.length).split('","kind":"');
  return { id, kind };
}

const FORM = '0000-00-00T00:00:00.000000Z';
const MONTH_DAYS = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31] as const;

/** Microseconds since 1970 of an RFC 3339 time in UTC with six decimals; null for any other text. */
export function microsOf(at: string): number | null {
  if (at.length !== FORM.length) return null;
  for (let place = 0; place < FORM.length; place += 1) {
    const code = at.charCodeAt(place);
    const wanted = FORM.charCodeAt(place);
    if (wanted === ZERO ? code < ZERO || code > NINE : code !== wanted) return null;
  }
  const midnight = midnightOf(numberAt(at, 0, 4), numberAt(at, 5, 7), numberAt(at, 8, 10));
  const hour = numberAt(at, 11, 13);
  const minute = numberAt(at, 14, 16);
  const second = numberAt(at, 17, 19);
  if (midnight === null || hour > 23 || minute > 59 || second > 59) return null;
  const exact = (midnight + ((hour * 60 + minute) * 60 + second) * 1000) * 1000 + numberAt(at, 20, 26);
  // Beyond 2^53 the last digits would be lost, and with them what the hash covers.
  return Number.isSafeInteger(exact) ? exact : null;
}

/** In milliseconds since 1970; null for a day that is not in the calendar. */
function midnightOf(year: number, month: number, day: number): number | null {
  const leap = (year % 4 === 0 && year % 100 !== 0) || year % 400 === 0;
  const days = month === 2 && leap ? 29 : MONTH_DAYS[month - 1];
  if (year < 1 || days === undefined || day < 1 || day > days) return null;
  // Date.UTC takes years below 100 for those of the last century.
  return year < 100 ? new Date(0).setUTCFullYear(year, month - 1, day) : Date.UTC(year, month - 1, day);
}

const ZERO = 48;
const NINE = 57;

function numberAt(text: string, from: number, to: number): number {
  let value = 0;
  for (let place = from; place < to; place += 1) value = value * 10 + text.charCodeAt(place) - ZERO;
  return value;
}

/** One buffer for all events: a trace may have a million. */
function eventHasher(sha256: Sha256): (prev: string, seq: number, micros: number, bytes: string) => string {
  let buffer = Buffer.alloc(ROOM + 3 * 4096);
  return (prev, seq, micros, bytes) => {
    if (buffer.length < ROOM + 3 * bytes.length) buffer = Buffer.alloc(ROOM + 3 * bytes.length);
    buffer.set(TAG);
    buffer.write(prev, TAG.length, 32, 'hex');
    writeInt64(buffer, TAG.length + 32, seq);
    writeInt64(buffer, TAG.length + 40, micros);
    return sha256(buffer.subarray(0, ROOM + buffer.write(bytes, ROOM, 'utf8')));
  };
}

/** Big endian, without the detour over bigint. */
function writeInt64(buffer: Buffer, offset: number, value: number): void {
  buffer.writeInt32BE(Math.floor(value / 2 ** 32), offset);
  buffer.writeUInt32BE(value >>> 0, offset + 4);
}
