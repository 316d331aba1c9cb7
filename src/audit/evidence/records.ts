/**
 * Reads the records that a receipt covers and writes each as one text. The signer and the export use the same
 * statement, so an export has the digests that were signed, unless a row has changed. Judges nothing.
 */
import { canonicalJson } from '../../domain/canonical-json.js';
import { digest, DIGEST_TAGS } from '../../domain/digest.js';
import type { Digest } from '../../domain/ids.js';
import type { Json, JsonObject } from '../../domain/json.js';
import type { Sql } from '../../domain/sql.js';
import { LATER_MEMBERS, recordKey, recordKinds, type RecordKind, type RecordOf, type Version } from './evidence.js';
import { RECORDS_SQL } from './record-rows.js';

export type Records = { readonly [K in RecordKind]: readonly RecordOf[K][] };
/** Which records of a run: those before the verdict; `full` with decisions, attempts and results, which grow with it. */
export type RecordsWanted = { readonly uuid: string; readonly judgedAt: string; readonly full: boolean };

/** By run and kind, so that a record fits no other place. */
export const recordDigest = (kind: RecordKind | 'verdict', run: string, text: string): Digest =>
  digest(DIGEST_TAGS.record, kind, run, text);

export type RecordDigests = Readonly<Record<RecordKind, Readonly<Record<string, Digest>>>>;

/** @param version of the receipt that they were signed under */
export function textsOf(records: Records, kind: RecordKind, version: Version): readonly string[] {
  const later = version === 1 ? (LATER_MEMBERS[kind] ?? []) : [];
  return records[kind].map((record) =>
    canonicalJson(Object.fromEntries(Object.entries(record as JsonObject).filter(([name]) => !later.includes(name)))),
  );
}

export function digestsOf(run: string, records: Records): RecordDigests {
  const ofKind = (kind: RecordKind): Readonly<Record<string, Digest>> =>
    Object.fromEntries(
      records[kind].map((record) => [recordKey(record), recordDigest(kind, run, canonicalJson(record as Json))]),
    );
  return Object.fromEntries(recordKinds.map((kind) => [kind, ofKind(kind)])) as RecordDigests;
}

/** One statement, so that all of a run's records are of one moment. By uuid. */
export async function readRecords(sql: Sql, wanted: readonly RecordsWanted[]): Promise<ReadonlyMap<string, Records>> {
  const rows = await sql.query<{ uuid: string; records: Records }>(RECORDS_SQL, [
    wanted.map((one) => one.uuid),
    wanted.map((one) => one.judgedAt),
    wanted.map((one) => one.full),
  ]);
  return new Map(rows.map(({ uuid, records }) => [uuid, records]));
}
