/** Collects the bundle of one run: one statement, so that all of it is of one moment. Deliberately judges nothing. */
import { uuidOf, type RunId } from '../domain/ids.js';
import type { Sql } from '../domain/sql.js';
import type { Bundle } from './evidence.js';

/** Null when the run has no receipt yet. @param revision the latest signed one unless given */
export async function collectBundle(sql: Sql, run: RunId, revision?: number): Promise<Bundle | null> {
  const [row] = await sql.query<{ bundle: Omit<Bundle, 'version' | 'run'> }>(
    `SELECT json_build_object(
       'receipt', r.jws,
       'contract', (SELECT convert_from(c.bytes, 'UTF8') FROM audit.v_contracts c WHERE c.run_id = r.run_id),
       'amendments', coalesce((SELECT json_agg(json_build_object('n', x.n, 'step', x.step, 'attempt', x.attempt, 'hold', x.hold,
           'reason', x.reason, 'runDeadline', ${iso('x.run_deadline')}, 'finalizeDue', ${iso('x.finalize_due')}, 'at', ${iso('x.at')})
           ORDER BY x.n) FROM audit.v_amendments x WHERE x.run_id = r.run_id AND x.at <= v.judged_at), '[]'),
       'acks', coalesce((SELECT json_agg(json_build_object('n', x.n, 'domain', x.domain, 'action', x.action, 'status', x.status,
           'evidence', x.evidence::text, 'by', x.by, 'at', ${iso('x.at')}) ORDER BY x.n)
           FROM audit.v_acks x WHERE x.run_id = r.run_id AND x.at <= v.judged_at), '[]'),
       'trace', coalesce((SELECT json_agg(json_build_object('seq', x.seq, 'at', ${iso('x.at')}, 'bytes', convert_from(x.bytes, 'UTF8'),
           'hash', encode(x.hash, 'hex')) ORDER BY x.seq) FROM observe.v_events x WHERE x.run_id = r.run_id), '[]'),
       'decisions', coalesce((SELECT json_agg(json_build_object('step', x.step, 'attempt', x.attempt, 'kind', x.kind,
           'target', x.target, 'access', x.access, 'effect', x.effect, 'actionDigest', x.action_digest,
           'policySetDigest', x.policy_set_digest, 'priceTableDigest', x.price_table_digest, 'decidedAt', ${iso('x.decided_at')})
           ORDER BY x.step, x.attempt) FROM decide.v_decisions x WHERE x.run_id = r.run_id), '[]'),
       'attempts', coalesce((SELECT json_agg(json_build_object('step', x.step, 'attempt', x.attempt,
           'actionDigest', x.action_digest, 'startedAt', ${iso('x.started_at')}) ORDER BY x.step, x.attempt)
           FROM execute.v_attempts x WHERE x.run_id = r.run_id), '[]'),
       'results', coalesce((SELECT json_agg(json_build_object('step', x.step, 'attempt', x.attempt, 'status', x.status,
           'contentDigest', x.content_digest, 'inputTokens', x.input_tokens::text, 'outputTokens', x.output_tokens::text,
           'cachedTokens', x.cached_tokens::text, 'reasoningTokens', x.reasoning_tokens::text,
           'usageReported', x.usage_reported, 'code', x.code, 'retryAfterMs', x.retry_after_ms::text, 'cause', x.cause,
           'reportedModel', x.reported_model, 'finishReason', x.finish_reason, 'digest', x.digest)
           ORDER BY x.step, x.attempt) FROM execute.v_results x WHERE x.run_id = r.run_id), '[]')) AS bundle
     FROM audit.v_receipts r JOIN audit.v_all_verdicts v ON (v.run_id, v.revision) = (r.run_id, r.revision)
     WHERE r.run_id = $1 AND ($2::integer IS NULL OR r.revision = $2)
     ORDER BY r.revision DESC LIMIT 1`,
    [uuidOf(run), revision ?? null],
  );
  return row === undefined ? null : { version: 1, run, ...row.bundle };
}

/** Times as they stand in contracts and receipts: RFC 3339 in UTC with six decimals. */
function iso(column: string): string {
  return `to_char(${column} AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')`;
}
