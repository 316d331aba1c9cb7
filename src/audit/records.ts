/**
 * Reads the records that a receipt covers and writes each as its one text. The signer and the export use the same
 * statement, so what is exported later is what was signed, or it is not the same digest. Judges nothing.
 */
import { canonicalJson } from '../domain/canonical-json.js';
import { digest, DIGEST_TAGS } from '../domain/digest.js';
import type { Digest } from '../domain/ids.js';
import type { Json } from '../domain/json.js';
import type { Sql } from '../domain/sql.js';
import { recordKey, recordKinds, type RecordKind, type RecordOf } from './evidence.js';

export type Records = { readonly [K in RecordKind]: readonly RecordOf[K][] };
/** Which records of a run: those before the verdict; `full` with decisions, attempts and results, which grow with it. */
export type RecordsWanted = { readonly uuid: string; readonly judgedAt: string; readonly full: boolean };

/** By run and kind, so that a record fits no other place. */
export const recordDigest = (kind: RecordKind | 'verdict', run: string, text: string): Digest =>
  digest(DIGEST_TAGS.record, kind, run, text);

export type RecordDigests = Readonly<Record<RecordKind, Readonly<Record<string, Digest>>>>;

export const textsOf = (records: Records, kind: RecordKind): readonly string[] =>
  records[kind].map((record) => canonicalJson(record as Json));

export function digestsOf(run: string, records: Records): RecordDigests {
  const ofKind = (kind: RecordKind): Readonly<Record<string, Digest>> =>
    Object.fromEntries(
      records[kind].map((record) => [recordKey(record), recordDigest(kind, run, canonicalJson(record as Json))]),
    );
  return Object.fromEntries(recordKinds.map((kind) => [kind, ofKind(kind)])) as RecordDigests;
}

/** Times as they stand in contracts and receipts: RFC 3339 in UTC with six decimals. */
export const isoSql = (column: string): string =>
  `to_char(${column} AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')`;

const list = (fields: string, from: string, where: string, order: string): string =>
  `(SELECT coalesce(json_agg(json_build_object(${fields}) ORDER BY ${order}), '[]') FROM ${from} x WHERE x.run_id = w.run_id AND ${where})`;

const RECORDS_SQL = `SELECT w.run_id::text AS uuid, json_build_object(
  'amendments', ${list(
    `'n', x.n, 'step', x.step, 'attempt', x.attempt, 'hold', x.hold, 'reason', x.reason, 'runDeadline', ${isoSql('x.run_deadline')},
     'finalizeDue', ${isoSql('x.finalize_due')}, 'at', ${isoSql('x.at')}`,
    'audit.v_amendments',
    'x.at <= w.judged_at',
    'x.n',
  )},
  'acks', ${list(
    `'n', x.n, 'domain', x.domain, 'action', x.action, 'status', x.status, 'evidence', x.evidence::text, 'by', x.by, 'at', ${isoSql('x.at')}`,
    'audit.v_acks',
    'x.at <= w.judged_at',
    'x.n',
  )},
  'decisions', ${list(
    `'step', x.step, 'attempt', x.attempt, 'kind', x.kind, 'target', x.target, 'access', x.access, 'effect', x.effect,
     'actionDigest', x.action_digest, 'requestDigest', x.request_digest, 'argumentsDigest', x.arguments_digest,
     'contextDigest', x.context_digest, 'askedOutputTokens', x.asked_output_tokens, 'notAfter', ${isoSql('x.not_after')},
     'snapshotDigest', x.snapshot_digest, 'policySetDigest', x.policy_set_digest, 'priceTableDigest', x.price_table_digest,
     'reasons', x.reasons::text, 'notices', x.notices::text, 'decidedAt', ${isoSql('x.decided_at')}`,
    'decide.v_decisions',
    'w.full',
    'x.step, x.attempt',
  )},
  'attempts', ${list(
    `'step', x.step, 'attempt', x.attempt, 'actionDigest', x.action_digest, 'nonce', x.nonce, 'startedAt', ${isoSql('x.started_at')}`,
    'execute.v_attempts',
    'w.full',
    'x.step, x.attempt',
  )},
  'results', ${list(
    `'step', x.step, 'attempt', x.attempt, 'status', x.status, 'contentDigest', x.content_digest,
     'inputTokens', x.input_tokens::text, 'outputTokens', x.output_tokens::text, 'cachedTokens', x.cached_tokens::text,
     'reasoningTokens', x.reasoning_tokens::text, 'usageReported', x.usage_reported, 'code', x.code,
     'retryAfterMs', x.retry_after_ms::text, 'cause', x.cause, 'reportedModel', x.reported_model,
     'finishReason', x.finish_reason, 'digest', x.digest, 'finishedAt', ${isoSql('x.finished_at')}`,
    'execute.v_results',
    'w.full',
    'x.step, x.attempt',
  )}) AS records
FROM unnest($1::uuid[], $2::timestamptz[], $3::boolean[]) AS w (run_id, judged_at, "full")`;

/** One statement, so that all of a run's records are of one moment. By uuid. */
export async function readRecords(sql: Sql, wanted: readonly RecordsWanted[]): Promise<ReadonlyMap<string, Records>> {
  const rows = await sql.query<{ uuid: string; records: Records }>(RECORDS_SQL, [
    wanted.map((one) => one.uuid),
    wanted.map((one) => one.judgedAt),
    wanted.map((one) => one.full),
  ]);
  return new Map(rows.map(({ uuid, records }) => [uuid, records]));
}
