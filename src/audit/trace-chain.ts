/**
 * Follows a trace's hash chain from the contract's digest to its head. Written apart from PostgreSQL's observe.append, so
 * that the two are witnesses of each other.
 */
import { contractDigest } from './contract.js';

export type ChainEvent = { readonly seq: number; readonly at: string; readonly bytes: string; readonly hash: string };
export type ChainAnswer =
  | { readonly ok: true; readonly length: number; readonly hash: string }
  | { readonly ok: false; readonly seq: number; readonly problem: string };

const TAG = 'rok.trace.v1';
const utf8 = new TextEncoder();

/** @param root hexadecimal digest of the contract */
export async function followChain(root: string, events: readonly ChainEvent[]): Promise<ChainAnswer> {
  let hash = root;
  for (const [index, event] of events.entries()) {
    const seq = index + 1;
    if (event.seq !== seq) return { ok: false, seq, problem: `event ${seq} is not there` };
    const micros = microsOf(event.at);
    if (micros === null) return { ok: false, seq, problem: `event ${seq} has no time` };
    const follows = await hashOf(hash, seq, micros, event.bytes);
    if (follows !== event.hash) return { ok: false, seq, problem: `event ${seq} is not what its hash says` };
    hash = follows;
  }
  return { ok: true, length: events.length, hash };
}

export const chainRoot = (contract: string): string => contractDigest(contract);

/** Microseconds since 1970 of an RFC 3339 time in UTC; null for any other text. */
function microsOf(at: string): bigint | null {
  const found = /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)\.(\d{6})Z$/.exec(at);
  const seconds = Date.parse(`${found?.[1] ?? ''}Z`);
  return found === null || Number.isNaN(seconds) ? null : BigInt(seconds) * 1000n + BigInt(found[2] ?? '0');
}

async function hashOf(prev: string, seq: number, micros: bigint, bytes: string): Promise<string> {
  const [tag, body, before] = [utf8.encode(TAG), utf8.encode(bytes), bytesOf(prev)];
  const message = new Uint8Array(tag.length + before.length + 16 + body.length);
  message.set(tag);
  message.set(before, tag.length);
  const numbers = new DataView(message.buffer, tag.length + before.length, 16);
  numbers.setBigInt64(0, BigInt(seq));
  numbers.setBigInt64(8, micros);
  message.set(body, tag.length + before.length + 16);
  return hexOf(new Uint8Array(await crypto.subtle.digest('SHA-256', message)));
}

const bytesOf = (hex: string): Uint8Array =>
  Uint8Array.from(hex.match(/../g) ?? [], (pair) => Number.parseInt(pair, 16));
const hexOf = (bytes: Uint8Array): string => Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
