/**
 * Verifies a bundle offline. Pure: no database, no network; the only thing it trusts is what is given from outside. It names
 * the first broken thing, from the signature inwards, in the order and the words of docs/formats.md. It judges nothing anew:
 * what the receipt states is held against the records beside it.
 */
import { contractDigest } from '../evidence/contract.js';
import { openRecords } from './records.js';
import type { Bundle } from '../evidence/evidence.js';
import { receiptHash, type Receipt } from '../receipts/receipt.js';
import { chainRoot, followChain, type Sha256 } from '../evidence/trace-chain.js';
import { verifyChain, type ChainVerification } from './chain.js';
import { parseStrictFile, parseStrictObject } from './json.js';
import { brokenColumns } from './columns.js';
import { untoldFinding } from './findings.js';
import { brokenRows } from './rows.js';
import { isBundle, isContract, versionOf, type OutsideHead } from './shapes.js';
import { openReceipt, type Broken, type Trust } from './signature.js';

export type { Broken, Trust } from './signature.js';

export type Verified = {
  readonly run: string;
  /** From version 2 on, of a run with a contract. */
  readonly agent?: string;
  readonly status: string;
  readonly revision: number;
  /** The tenant, or `-` for strays. */
  readonly chain: string;
  readonly n: string;
  /** Hash of this receipt: what the next one of its chain names, and an outside head. */
  readonly hash: string;
};
export type Verification =
  | { readonly result: 'verified'; readonly receipt: Verified; readonly kid: string }
  /** Everything fits, but nobody said whose key may sign. */
  | { readonly result: 'consistent, signer unknown'; readonly receipt: Verified }
  | { readonly result: 'broken'; readonly broken: Broken };

export type VerifyOptions = {
  /** Heads that were kept outside the database. */
  readonly heads?: readonly OutsideHead[];
  /** A faster SHA-256, for those who have one. */
  readonly sha256?: Sha256;
};

/** An exported file, of whichever kind: its bytes, or their text. */
export function verifyFile(
  file: Uint8Array | string,
  trust: Trust,
  options: VerifyOptions = {},
): Promise<Verification | ChainVerification> {
  const value = parseStrictFile(file);
  return value !== null && Object.hasOwn(value, 'receipts')
    ? verifyChain(value, trust, options.heads)
    : verifyParsed(value, trust, options);
}

/** @param file the bundle as it was exported: its bytes, or their text */
export const verifyBundle = (file: Uint8Array | string, trust: Trust, options?: VerifyOptions): Promise<Verification> =>
  verifyParsed(parseStrictFile(file), trust, options);

async function verifyParsed(
  bundle: unknown,
  trust: Trust,
  { heads = [], sha256 }: VerifyOptions = {},
): Promise<Verification> {
  if (!isBundle(bundle))
    return broken({ what: 'bundle', detail: `it is not a bundle of version ${versionOf(bundle)} in strict JSON` });
  const opened = await openReceipt(bundle.receipt, trust, bundle.keys, bundle.version);
  if (!opened.ok) return broken(opened.broken);
  const { receipt, kid } = opened;
  const found =
    brokenContract(bundle, receipt) ??
    brokenTrace(bundle, receipt, sha256) ??
    brokenContents(bundle, receipt, untoldFinding);
  if (found !== null) return broken(found);

  const { run, chain, n } = receipt;
  const { status, revision } = receipt.verdict;
  const about = bundle.version === 1 || receipt.contract === null ? {} : { agent: receipt.contract.agent };
  const verified = { run, ...about, status, revision, chain, n, hash: receiptHash(bundle.receipt) };
  const other = heads.find((head) => head.chain === chain && head.n === n && head.hash !== verified.hash);
  if (other !== undefined) return broken({ what: `head ${n} of ${chain}`, detail: 'it names another receipt' });
  return trust === null
    ? { result: 'consistent, signer unknown', receipt: verified }
    : { result: 'verified', receipt: verified, kid };
}

const broken = (found: Broken): Verification => ({ result: 'broken', broken: found });

export function brokenContract({ contract, run }: Bundle, receipt: Receipt): Broken | null {
  if (run !== receipt.run) return { what: 'receipt', detail: 'it is of another run' };
  if (contract === null || receipt.contract === null)
    return contract === null && receipt.contract === null
      ? null
      : { what: 'contract', detail: 'receipt and bundle disagree whether there is one' };
  if (contractDigest(contract) !== receipt.contract.digest)
    return { what: 'contract', detail: "its digest is not the receipt's" };
  const declared = parseStrictObject(contract);
  if (!isContract(declared)) return { what: 'contract', detail: 'it is not a contract of version 1' };
  const same =
    declared?.['run'] === receipt.run &&
    declared['tenant'] === receipt.contract.tenant &&
    declared['tenant'] === receipt.chain &&
    declared['agent'] === receipt.contract.agent &&
    declared['profile'] === receipt.contract.profile &&
    declared['expiresAt'] === receipt.contract.expiresAt;
  return same ? null : { what: 'contract', detail: 'it says otherwise than the receipt' };
}

function brokenTrace({ contract, trace }: Bundle, receipt: Receipt, sha256?: Sha256): Broken | null {
  if (contract === null) return trace.length === 0 ? null : { what: 'trace', detail: 'events without a contract' };
  const root = chainRoot(contract);
  const chain = followChain(root, trace, sha256);
  if (!chain.ok) return { what: `trace event ${chain.seq}`, detail: chain.problem };
  const { facts } = receipt;
  if (facts === null) return null;
  const stated = BigInt(facts.traceLength);
  // A trace may have grown after the verdict of a run that was still open, but never changed.
  if (trace.length < stated)
    return { what: 'trace', detail: `the receipt states ${stated} events, there are ${trace.length}` };
  const hash = stated === 0n ? root : trace[Number(stated) - 1]?.hash;
  return facts.traceHash === null || hash === facts.traceHash
    ? null
    : { what: 'trace', detail: "its head is not the receipt's" };
}

/** @param then of version 2, what is asked of the whole bundle last; without it the trace may be left out */
export function brokenContents(
  bundle: Bundle,
  receipt: Receipt,
  then: typeof untoldFinding = () => null,
): Broken | null {
  const opened = openRecords(bundle, receipt);
  if (!opened.ok) return opened.broken;
  const { records } = opened;
  const rows = brokenRows(bundle, records, receipt);
  if (rows !== null || receipt.version === 1) return rows;
  return brokenColumns(bundle, records, receipt) ?? then(bundle, records, receipt);
}
