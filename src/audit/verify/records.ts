/**
 * Compares the records of a bundle with the digests that its receipt states: none changed, added, left out or moved.
 * Part of verify.ts; pure. rows.ts checks what the records mean.
 */
import {
  isFixed,
  kindsOf,
  RECORD_KINDS,
  recordKey,
  recordKinds,
  type Bundle,
  type RecordKind,
  type RecordOf,
} from '../evidence/evidence.js';
import { recordDigest, type Records } from '../evidence/records.js';
import { isOver, type Receipt } from '../receipts/receipt.js';
import { parseStrictObject } from './json.js';
import { isRecord, isVerdict } from './shapes.js';
import type { Broken } from './signature.js';

export type OpenedRecords =
  { readonly ok: true; readonly records: Records } | { readonly ok: false; readonly broken: Broken };

/** Of a run that was judged while it was still open there may be more by now, though never fewer. */
export const isFinal = ({ facts }: Receipt): boolean => facts !== null && isOver(facts);

export function openRecords(bundle: Bundle, receipt: Receipt): OpenedRecords {
  const verdict = brokenVerdict(bundle, receipt);
  if (verdict !== null) return { ok: false, broken: { what: 'verdict', detail: verdict } };
  const opened: Partial<Record<RecordKind, unknown>> = {};
  for (const kind of recordKinds) opened[kind] = [];
  for (const kind of kindsOf(receipt.version)) {
    const list = openList(kind, bundle, receipt);
    if ('what' in list) return { ok: false, broken: list };
    opened[kind] = list;
  }
  return { ok: true, records: opened as Records };
}

function brokenVerdict({ run, verdict }: Bundle, { verdict: stated, records }: Receipt): string | null {
  if (recordDigest('verdict', run, verdict) !== records.verdict) return 'it is not the one of the receipt';
  const row = parseStrictObject(verdict);
  if (!isVerdict(row)) return 'it is not a record';
  return row?.['status'] === stated.status && row['revision'] === stated.revision
    ? null
    : 'it says otherwise than the receipt';
}

function openList<K extends RecordKind>(kind: K, bundle: Bundle, receipt: Receipt): readonly RecordOf[K][] | Broken {
  const one = RECORD_KINDS[kind];
  const stated = receipt.records[kind];
  const complete = isFixed(kind) || isFinal(receipt);
  const opened = new Map<string, RecordOf[K]>();
  let last: RecordOf[K] | null = null;
  for (const [index, text] of bundle[kind].entries()) {
    const record: unknown = parseStrictObject(text);
    if (!isRecord(kind, record, receipt.version))
      return { what: `${one} at place ${index + 1}`, detail: 'it is not a record' };
    const key = recordKey(record);
    const broken = (detail: string): Broken => ({ what: `${one} ${key}`, detail });
    if (last !== null && !follows(last, record)) return broken('it is out of order');
    const wanted = Object.hasOwn(stated, key) ? stated[key] : undefined;
    if (wanted === undefined && complete) return broken('the receipt does not state it');
    if (wanted !== undefined && recordDigest(kind, bundle.run, text) !== wanted)
      return broken('it is not the one of the receipt');
    opened.set(key, record);
    last = record;
  }
  const missing = Object.keys(stated)
    .filter((key) => !opened.has(key))
    .sort(byNumbers)[0];
  return missing === undefined ? [...opened.values()] : { what: `${one} ${missing}`, detail: 'it is not there' };
}

const byNumbers = (a: string, b: string): number => {
  const [left, right] = [a, b].map((key) => key.split('.').map(Number));
  return (left?.[0] ?? 0) - (right?.[0] ?? 0) || (left?.[1] ?? 0) - (right?.[1] ?? 0);
};

const follows = (before: RecordOf[RecordKind], after: RecordOf[RecordKind]): boolean =>
  byNumbers(recordKey(before), recordKey(after)) < 0;
