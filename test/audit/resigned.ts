/** A bundle whose records were changed and whose receipt was signed over them again, as only whoever holds the key could. */
import { decodeJwt } from 'jose';
import { recordKey, recordKinds, type Bundle, type RecordKind } from '../../src/audit/evidence/evidence.js';
import { receiptText, verdictText, type Receipt } from '../../src/audit/receipts/receipt.js';
import { recordDigest } from '../../src/audit/evidence/records.js';
import { chainRoot, microsOf, namesOf, type ChainEvent } from '../../src/audit/evidence/trace-chain.js';
import type { Signer } from '../../src/audit/receipts/signer.js';
import { canonicalJson } from '../../src/domain/canonical-json.js';
import { sha256Hex } from '../../src/domain/digest.js';
import type { JsonObject } from '../../src/domain/json.js';

export type Edit = {
  /** What each record of a kind becomes: another, several, or none. */
  readonly records?: Partial<Record<RecordKind, (record: JsonObject) => JsonObject | readonly JsonObject[] | null>>;
  /** Put after those that are there. */
  readonly added?: Partial<Record<RecordKind, readonly JsonObject[]>>;
  readonly receipt?: (receipt: Receipt) => Receipt;
  /** What each event's bytes become; hashed anew, and the receipt states the new head. */
  readonly events?: (bytes: string, id: string) => string | readonly string[] | null;
};

export async function resigned(
  bundle: Bundle,
  signer: Signer,
  { records = {}, added = {}, receipt: edit, events }: Edit,
): Promise<Bundle> {
  const texts: Partial<Record<RecordKind, readonly string[]>> = {};
  for (const kind of recordKinds) {
    const change = records[kind] ?? (added[kind] === undefined ? undefined : (one: JsonObject) => one);
    if (change === undefined) continue;
    const kept = bundle[kind].flatMap((text) => {
      const changed = change(JSON.parse(text) as JsonObject);
      if (changed === null) return [];
      return (Array.isArray(changed) ? (changed as readonly JsonObject[]) : [changed as JsonObject]).map(canonicalJson);
    });
    texts[kind] = [...kept, ...(added[kind] ?? []).map(canonicalJson)];
  }
  const changed = { ...bundle, ...texts, ...(events === undefined ? {} : { trace: retold(bundle, events) }) };
  const receipt = decodeJwt(bundle.receipt) as unknown as Receipt;
  const digests = Object.fromEntries(
    recordKinds
      .filter((kind) => texts[kind] !== undefined)
      .map((kind) => [
        kind,
        Object.fromEntries(
          changed[kind].map((text) => [
            recordKey(JSON.parse(text) as { readonly n: number }),
            recordDigest(kind, bundle.run, text),
          ]),
        ),
      ]),
  );
  const { facts } = receipt;
  const head = { traceLength: String(changed.trace.length), traceHash: changed.trace.at(-1)?.hash ?? null };
  const said = {
    ...receipt,
    facts: facts === null || events === undefined ? facts : { ...facts, ...head },
    records: { ...receipt.records, ...digests },
  };
  const last = edit === undefined ? said : edit(said);
  const verdict = verdictText(last.verdict);
  const stated = { ...last.records, verdict: recordDigest('verdict', bundle.run, verdict) };
  return { ...changed, verdict, receipt: await signer.sign(receiptText({ ...last, records: stated })) };
}

/** Numbered and hashed as the product's own verifier says that they must be. */
function retold({ contract, trace }: Bundle, change: NonNullable<Edit['events']>): readonly ChainEvent[] {
  const all: ChainEvent[] = [];
  let last = chainRoot(contract ?? '');
  const told = trace.flatMap(({ at, bytes }) =>
    [change(bytes, namesOf(bytes).id) ?? []].flat().map((one: string) => ({ at, bytes: one })),
  );
  for (const [index, { at, bytes }] of told.entries()) {
    const seq = index + 1;
    last = hashAfter(last, { seq, at, bytes });
    all.push({ seq, at, bytes, hash: last });
  }
  return all;
}

function hashAfter(last: string, { seq, at, bytes }: Omit<ChainEvent, 'hash'>): string {
  const numbers = Buffer.alloc(16);
  numbers.writeBigInt64BE(BigInt(seq));
  numbers.writeBigInt64BE(BigInt(microsOf(at) ?? 0), 8);
  return sha256Hex(Buffer.concat([Buffer.from('rok.trace.v1'), Buffer.from(last, 'hex'), numbers, Buffer.from(bytes)]));
}
