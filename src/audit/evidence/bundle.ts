/**
 * Collects the bundle of one run, and the chain of a tenant's receipts, as the rows are now. Bytes that are not UTF-8
 * become replacement characters, so that the verifier reports them instead of the export failing. Judges nothing.
 */
import type { JSONWebKeySet } from 'jose';
import { uuidOf, type RunId } from '../../domain/ids.js';
import type { Sql } from '../../domain/sql.js';
import type { Finding, VerdictStatus } from '../../domain/verdict.js';
import { textOfHex } from './bytes-text.js';
import { kindsOf, recordKinds, type Bundle, type RecordKind, type Version } from './evidence.js';
import { parseObject } from './contract.js';
import { verdictText } from '../receipts/receipt.js';
import { isoSql } from './record-rows.js';
import { readRecords, textsOf } from './records.js';

type Collected = {
  readonly jws: string;
  readonly revision: number;
  readonly status: VerdictStatus;
  readonly findings: readonly Finding[];
  readonly judged_at: string;
  readonly contract: string | null;
  readonly trace: readonly {
    readonly seq: number;
    readonly at: string;
    readonly bytes: string;
    readonly hash: string;
  }[];
};

const COLLECT_SQL = `SELECT r.jws, v.revision, v.status, v.findings, v.judged_at,
    (SELECT encode(c.bytes, 'hex') FROM audit.v_contracts c WHERE c.run_id = r.run_id) AS contract,
    (SELECT coalesce(json_agg(json_build_object('seq', x.seq, 'at', ${isoSql('x.at')}, 'bytes', encode(x.bytes, 'hex'),
       'hash', encode(x.hash, 'hex')) ORDER BY x.seq), '[]') FROM observe.v_events x WHERE x.run_id = r.run_id AND $3) AS trace
  FROM audit.v_receipts r JOIN audit.v_all_verdicts v ON (v.run_id, v.revision) = (r.run_id, r.revision)
  WHERE r.run_id = $1 AND ($2::integer IS NULL OR r.revision = $2)
  ORDER BY r.revision DESC LIMIT 1`;

/**
 * Null when the run has no receipt yet.
 * @param keys public keys to put beside the evidence; @param revision the latest signed one unless given; @param trace false:
 * without events, for who reads them page by page
 */
export async function collectBundle(
  sql: Sql,
  run: RunId,
  {
    keys = { keys: [] },
    revision,
    trace = true,
  }: { readonly keys?: JSONWebKeySet; readonly revision?: number; readonly trace?: boolean } = {},
): Promise<Bundle | null> {
  const uuid = uuidOf(run);
  const [row] = await sql.query<Collected>(COLLECT_SQL, [uuid, revision ?? null, trace]);
  if (row === undefined) return null;
  const records = (await readRecords(sql, [{ uuid, judgedAt: row.judged_at, full: true }])).get(uuid);
  if (records === undefined) return null;
  const { status, findings, judged_at: judgedAt } = row;
  const version = versionOf(row.jws);
  return {
    version,
    run,
    receipt: row.jws,
    contract: row.contract === null ? null : textOfHex(row.contract),
    verdict: verdictText({ revision: row.revision, status, findings, judgedAt }),
    trace: row.trace.map((event) => ({ ...event, bytes: textOfHex(event.bytes) })),
    ...(Object.fromEntries(
      recordKinds.map((kind) => [kind, kindsOf(version).includes(kind) ? textsOf(records, kind, version) : []]),
    ) as unknown as Readonly<Record<RecordKind, readonly string[]>>),
    keys,
  };
}

/** The bundle is of the receipt's version; whether that is one is for a verifier to say. */
function versionOf(jws: string): Version {
  const payload = parseObject(Buffer.from(jws.split('.')[1] ?? '', 'base64url').toString('utf8'));
  return payload?.['version'] === 1 ? 1 : 2;
}
