/**
 * Verifies a bundle offline. Pure: no database, no network; the only thing it trusts is the key set given from outside.
 * It names the first broken thing, from the signature inwards. It judges nothing anew: what the receipt states is held
 * against the rows beside it.
 */
import {
  compactVerify,
  createLocalJWKSet,
  decodeProtectedHeader,
  errors as joseErrors,
  type JSONWebKeySet,
} from 'jose';
import { contractDigest, parseContract, parseObject } from './contract.js';
import type { Bundle } from './evidence.js';
import { receiptHash, type Receipt } from './receipt.js';
import { RECEIPT_TYPE } from './signer.js';
import { chainRoot, followChain } from './trace-chain.js';
import { brokenRows, type Broken } from './verify-rows.js';

export type { Bundle } from './evidence.js';
export type { Broken } from './verify-rows.js';

export type Verified = {
  readonly run: string;
  readonly status: string;
  readonly revision: number;
  readonly n: string;
  /** Hash of this receipt: what the next one of its chain names. */
  readonly hash: string;
};
export type Verification =
  | { readonly result: 'verified'; readonly receipt: Verified; readonly kid: string }
  /** Everything fits, but nobody said whose key may sign. */
  | { readonly result: 'consistent, signer unknown'; readonly receipt: Verified }
  | { readonly result: 'broken'; readonly broken: Broken };

/** @param trusted the auditors' public keys; null: without a trust root */
export async function verifyBundle(bundle: Bundle, trusted: JSONWebKeySet | null): Promise<Verification> {
  const signature = trusted === null ? null : await brokenSignature(bundle.receipt, trusted);
  if (signature !== null) return { result: 'broken', broken: signature };
  const receipt = receiptOf(bundle.receipt);
  if (receipt === null)
    return { result: 'broken', broken: { what: 'receipt', detail: 'it is not a receipt of version 1' } };
  const broken = brokenContract(bundle, receipt) ?? (await brokenTrace(bundle, receipt)) ?? brokenRows(bundle, receipt);
  if (broken !== null) return { result: 'broken', broken };

  const { status, revision } = receipt.verdict;
  const verified = { run: receipt.run, status, revision, n: receipt.n, hash: receiptHash(bundle.receipt) };
  if (trusted === null) return { result: 'consistent, signer unknown', receipt: verified };
  return { result: 'verified', receipt: verified, kid: decodeProtectedHeader(bundle.receipt).kid ?? '' };
}

async function brokenSignature(jws: string, trusted: JSONWebKeySet): Promise<Broken | null> {
  try {
    const { protectedHeader } = await compactVerify(jws, createLocalJWKSet(trusted), { algorithms: ['EdDSA'] });
    return protectedHeader.typ === RECEIPT_TYPE
      ? null
      : { what: 'receipt.signature', detail: 'it is a signature of something else' };
  } catch (error) {
    if (error instanceof joseErrors.JWKSNoMatchingKey)
      return { what: 'receipt.signer', detail: 'the key that signed it is not trusted' };
    return { what: 'receipt.signature', detail: 'the signature does not verify' };
  }
}

function receiptOf(jws: string): Receipt | null {
  const parts = jws.split('.');
  if (parts.length !== 3) return null;
  try {
    const base64 = (parts[1] ?? '').replaceAll('-', '+').replaceAll('_', '/');
    const bytes = Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
    const value = parseObject(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
    return value !== null &&
      value['version'] === 1 &&
      typeof value['run'] === 'string' &&
      typeof value['verdict'] === 'object'
      ? (value as unknown as Receipt)
      : null;
  } catch {
    return null;
  }
}

function brokenContract({ contract, run }: Bundle, receipt: Receipt): Broken | null {
  if (run !== receipt.run) return { what: 'receipt', detail: `it is of \`${receipt.run}\`` };
  if (contract === null || receipt.contract === null)
    return contract === null && receipt.contract === null
      ? null
      : { what: 'contract', detail: 'receipt and bundle disagree whether there is one' };
  if (contractDigest(contract) !== receipt.contract.digest)
    return { what: 'contract', detail: "its digest is not the receipt's" };
  const declared = parseContract(contract);
  if (declared === null) return { what: 'contract', detail: 'it is not a contract of version 1' };
  const same =
    declared.run === receipt.run &&
    declared.tenant === receipt.contract.tenant &&
    declared.agent === receipt.contract.agent &&
    declared.profile === receipt.contract.profile &&
    declared.expiresAt === receipt.contract.expiresAt;
  return same ? null : { what: 'contract', detail: 'it says otherwise than the receipt' };
}

async function brokenTrace({ contract, trace }: Bundle, { facts }: Receipt): Promise<Broken | null> {
  if (contract === null) return trace.length === 0 ? null : { what: 'trace', detail: 'events without a contract' };
  const chain = await followChain(chainRoot(contract), trace);
  if (!chain.ok) return { what: `trace event ${chain.seq}`, detail: chain.problem };
  if (facts === null) return null;
  const stated = Number(facts.traceLength);
  // A trace may have grown after the verdict, but never changed.
  if (trace.length < stated)
    return { what: 'trace', detail: `the receipt states ${stated} events, there are ${trace.length}` };
  const hash = stated === 0 ? chainRoot(contract) : trace[stated - 1]?.hash;
  return facts.traceHash === null || hash === facts.traceHash
    ? null
    : { what: 'trace', detail: "its head is not the receipt's" };
}
