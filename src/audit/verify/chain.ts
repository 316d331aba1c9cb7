/**
 * Verifies a tenant's chain of receipts offline against heads that were kept outside the database: none changed, none
 * left out, none cut off the end. What each receipt states of its run is verified with that run's bundle (verify.ts).
 */
import { NO_RECEIPT, receiptHash } from '../receipts/receipt.js';
import { parseStrictObject } from './json.js';
import { isOutsideHead, isReceiptChain, type OutsideHead, type ReceiptChain } from './shapes.js';
import { openReceipt, type Broken, type Trust } from './signature.js';

export type { OutsideHead } from './shapes.js';

export type ChainVerification =
  | {
      readonly result: 'verified' | 'consistent, signer unknown';
      readonly chain: { readonly chain: string; readonly receipts: number; readonly hash: string };
      /** How many outside heads it was held against. */
      readonly heads: number;
    }
  | { readonly result: 'broken'; readonly broken: Broken };

/** Null when `text` is not a file of outside heads: one JSON object per line. */
export function parseHeads(text: string): readonly OutsideHead[] | null {
  const heads = text
    .split('\n')
    .filter((line) => line !== '')
    .map(parseStrictObject);
  return heads.every(isOutsideHead) ? heads : null;
}

/** @param file a chain as it was exported, parsed strictly */
export async function verifyChain(
  file: unknown,
  trust: Trust,
  heads: readonly OutsideHead[] = [],
): Promise<ChainVerification> {
  if (!isReceiptChain(file)) return broken('chain', 'it is not a chain of receipts of version 1 in strict JSON');
  const { chain, receipts } = file;
  let hash = NO_RECEIPT;
  for (let n = 1; n <= receipts.length; n += 1) {
    const problem = await brokenLink(file, n, hash, trust);
    if (problem !== null) return broken(`receipt ${n} of ${chain}`, problem);
    hash = receipts[n - 1]?.hash ?? '';
  }
  const held = heads.filter((head) => head.chain === chain);
  for (const head of held) {
    if (Number(head.n) > receipts.length)
      return broken(
        `receipt ${receipts.length + 1} of ${chain}`,
        `it is not there, and an outside head names number ${head.n}`,
      );
    const there = head.n === '0' ? NO_RECEIPT : receipts[Number(head.n) - 1]?.hash;
    if (there !== head.hash) return broken(`head ${head.n} of ${chain}`, 'it names another receipt');
  }
  return {
    result: trust === null ? 'consistent, signer unknown' : 'verified',
    chain: { chain, receipts: receipts.length, hash },
    heads: held.length,
  };
}

const broken = (what: string, detail: string): ChainVerification => ({ result: 'broken', broken: { what, detail } });

async function brokenLink(
  { chain, receipts, keys }: ReceiptChain,
  n: number,
  prev: string,
  trust: Trust,
): Promise<string | null> {
  const link = receipts[n - 1];
  if (link?.n !== String(n)) return 'it is not there';
  if (link.hash !== receiptHash(link.jws)) return 'its hash is not of it';
  const opened = await openReceipt(link.jws, trust, keys);
  if (!opened.ok) return opened.broken.detail;
  const { receipt } = opened;
  if (receipt.chain !== chain) return 'it is of another chain';
  if (receipt.n !== link.n) return 'it bears another number';
  return receipt.prev === prev ? null : 'it does not follow the one before it';
}
