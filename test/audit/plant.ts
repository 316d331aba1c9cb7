/**
 * Puts facts into every power's tables, as a superuser with triggers off: what no login could write is exactly what the
 * judge must find. CHECK constraints stay on.
 */
import type { Database, Sql } from '../../src/domain/sql.js';
import { plantHolds, REQUESTER } from './hold-facts.js';
import { DEPLOYMENT_PROFILE, TENANT_PROFILES } from './hold-model.js';
import { BOUND, contentOf, EXPIRES_MS, type RunFacts } from './facts.js';

const HEX = (digit: string): string => digit.repeat(64);

/** The moment that `…Ms` are counted from. */
export async function plant(admin: Database, all: readonly RunFacts[]): Promise<Date> {
  const base = new Date();
  await admin.transaction(async (sql) => {
    await sql.query('SET LOCAL session_replication_role = replica');
    await sql.query(`SELECT set_config('rok.base', $1, true)`, [base.toISOString()]);
    await plantContracts(sql, all);
    await plantDecided(sql, all);
    await plantHolds(sql, all);
    await plantExecuted(sql, all);
    await plantTrace(sql, all);
    await plantVerdicts(sql, all);
  });
  return base;
}

const AT = (column: string): string =>
  `(current_setting('rok.base')::timestamptz + ${column} * interval '1 millisecond')`;

async function rows(sql: Sql, insert: string, list: readonly object[]): Promise<void> {
  await sql.query(insert, [JSON.stringify(list)]);
}

async function plantContracts(sql: Sql, all: readonly RunFacts[]): Promise<void> {
  await rows(
    sql,
    `INSERT INTO audit.contracts (run_id, tenant, agent, profile, declared_at, declared_run_deadline, declared_finalize_due,
       expires_at, bytes, digest, run_deadline, finalize_due, judge_after)
     SELECT run, tenant, 'desk', profile, ${AT('-3600000')}, ${AT('due')}, ${AT('due')}, ${AT(String(EXPIRES_MS))}, '{}',
       decode('${HEX('c')}', 'hex'), ${AT('due')}, ${AT('due')}, '-infinity'
     FROM jsonb_to_recordset($1) AS x (run uuid, tenant text, profile text, due float8)`,
    all.map(({ run, tenant, profile, finalizeDueMs }) => ({ run, tenant, profile, due: finalizeDueMs })),
  );
  await rows(
    sql,
    `INSERT INTO audit.expectations (run_id, n, domain, action, condition, due, due_at)
     SELECT run, n, domain, action, condition, due, ${AT('"dueMs"')}
     FROM jsonb_to_recordset($1) AS x (run uuid, n integer, domain text, action text, condition text, due text, "dueMs" float8)`,
    all.flatMap(({ run, expectations }) => expectations.map((one, at) => ({ run, n: at + 1, ...one }))),
  );
  await rows(
    sql,
    `INSERT INTO audit.tenant_profiles (tenant, profile, since) SELECT key, value, '2026-01-01' FROM jsonb_each_text($1)
     ON CONFLICT DO NOTHING`,
    TENANT_PROFILES as unknown as readonly object[],
  );
  await sql.query(
    `INSERT INTO audit.deployment_profiles (profile, since) VALUES ($1, '2026-01-01') ON CONFLICT DO NOTHING`,
    [DEPLOYMENT_PROFILE],
  );
  await amend(sql, all, false);
  await rows(
    sql,
    `INSERT INTO audit.acks (run_id, n, domain, action, status, evidence, by, at)
     SELECT run, n, domain, action, status, evidence, 'planted', ${AT('"atMs"')}
     FROM jsonb_to_recordset($1) AS x (run uuid, n integer, domain text, action text, status text, evidence jsonb, "atMs" float8)`,
    all.flatMap(({ run, acks }) => acks.map((one, at) => ({ run, n: at + 1, ...one }))),
  );
  await amend(sql, all, true);
  await rows(
    sql,
    `INSERT INTO audit.approval_checks (run_id, update_id, ok, detail)
     SELECT run, id, false, 'forged' FROM jsonb_to_recordset($1) AS x (run uuid, id text)`,
    all.flatMap(({ run, forged }) => forged.map((id) => ({ run, id }))),
  );
  await rows(
    sql,
    `INSERT INTO audit.trace_checks (run_id, ok, broken_seq, detail, checked_at)
     SELECT run, false, seq, 'does not follow', clock_timestamp() + seq * interval '1 microsecond'
     FROM jsonb_to_recordset($1) AS x (run uuid, seq bigint)`,
    all.flatMap(({ run, brokenSeqs }) => brokenSeqs.map((seq) => ({ run, seq }))),
  );
  await rows(
    sql,
    `INSERT INTO audit.altered (run_id, revision, what, detail)
     SELECT run, 1, 'hold 1', 'it is not there' FROM jsonb_to_recordset($1) AS x (run uuid)`,
    all.filter((one) => one.altered).map(({ run }) => ({ run })),
  );
}

/** By the function that every amendment goes through; to be judged at once all the same. */
async function amend(sql: Sql, all: readonly RunFacts[], afterAcks: boolean): Promise<void> {
  const amendments = all.flatMap(({ run, amendments: list }) =>
    list.filter((one) => one.afterAcks === afterAcks).map((one) => ({ run, ...one })),
  );
  if (amendments.length === 0) return;
  await rows(
    sql,
    `SELECT audit.amend(run, 1, 1, hold, reason, ${AT('"fromMs"')}, ${AT('"untilMs"')})
     FROM ROWS FROM (jsonb_to_recordset($1) AS (run uuid, hold integer, reason text, "fromMs" float8, "untilMs" float8))
       WITH ORDINALITY AS x (run, hold, reason, "fromMs", "untilMs", n) ORDER BY n`,
    amendments,
  );
  await sql.query(`UPDATE audit.contracts SET judge_after = '-infinity' WHERE run_id = ANY ($1::uuid[])`, [
    amendments.map((one) => one.run),
  ]);
}

/** Verdicts that stand already, an hour old. */
async function plantVerdicts(sql: Sql, all: readonly RunFacts[]): Promise<void> {
  await rows(
    sql,
    `INSERT INTO audit.verdicts (run_id, revision, status, findings, facts, judged_at)
     SELECT run, 1, status, findings, '{}', ${AT('-3600000')}
     FROM jsonb_to_recordset($1) AS x (run uuid, status text, findings jsonb)`,
    all.flatMap(({ run, earlier }) =>
      earlier === null
        ? []
        : [{ run, ...(earlier === 'unreadable' ? { status: 'INCOMPLETE', findings: [7] } : earlier) }],
    ),
  );
}

async function plantDecided(sql: Sql, all: readonly RunFacts[]): Promise<void> {
  await rows(
    sql,
    `INSERT INTO decide.runs (run_id, tenant, agent, workflow_id, temporal_run_id, phase, outcome, profile, spec_digest, actor,
       limits, contract_digest, run_deadline, kind, answer, requester, ended_at)
     SELECT run, tenant, 'desk', 'rok/' || tenant || '/' || run, 'history-of-' || run, phase, outcome, profile, '${HEX('5')}',
       '{"name":"local:ann"}', '{}', '${HEX('c')}', ${AT('due')}, kind, answer,
       '00000000-0000-0000-0000-00000000000${REQUESTER}', CASE WHEN phase IN ('COMPLETED', 'FAILED') THEN clock_timestamp() END
     FROM jsonb_to_recordset($1) AS x (run uuid, tenant text, profile text, phase text, outcome text, kind text, answer text, due float8)`,
    all.map(({ run, tenant, profile, phase, outcome, kind, answer, finalizeDueMs }) => ({
      run,
      tenant,
      profile,
      phase,
      outcome,
      kind,
      answer,
      due: finalizeDueMs,
    })),
  );
  await rows(
    sql,
    `INSERT INTO decide.refused_histories (workflow_id, temporal_run_id, run_id, code)
     SELECT 'rok/other', id || run, run, 'not_this_history' FROM jsonb_to_recordset($1) AS x (run uuid, id text)`,
    all.flatMap(({ run, refused }) => refused.map((id) => ({ run, id }))),
  );
  const decisions = all.flatMap(({ run, tries, evaluation }) => [
    ...tries
      .filter((one) => one.decision !== null)
      .map(({ step, attempt, kind, access, decision }) => ({
        run,
        step,
        attempt,
        kind,
        access,
        effect: decision === 'deny' ? 'deny' : 'allow',
        digest: HEX(decision === 'other action' ? 'b' : 'a'),
      })),
    ...(evaluation === null
      ? []
      : [{ run, step: 99, attempt: 1, kind: evaluation.kind, access: null, effect: 'allow', digest: HEX('e') }]),
  ]);
  await rows(
    sql,
    `INSERT INTO decide.decisions (run_id, step, attempt, kind, target, access, effect, action_digest, request_digest,
       arguments_digest, context_digest, not_after, snapshot_digest, policy_set_digest, price_table_digest, body)
     SELECT run, step, attempt, kind, 'a/target', access, effect, digest, '${HEX('1')}', '${HEX('2')}', '${HEX('3')}',
       CASE effect WHEN 'allow' THEN clock_timestamp() END, '${HEX('4')}', '${HEX('6')}', '${HEX('7')}', '{}'
     FROM jsonb_to_recordset($1)
       AS x (run uuid, step integer, attempt integer, kind text, access text, effect text, digest text)`,
    decisions,
  );
  await rows(
    sql,
    `INSERT INTO decide.reservations (run_id, step, attempt, turn, state, action_digest, not_after, nonce, redeemed_at, closed_at,
       spent_micros, over_micros, bound_micros, bound_tokens, tokens, cost_usd)
     SELECT run, step, attempt, 1, CASE warrant WHEN 'other nonce' THEN 'settled' ELSE warrant END, '${HEX('a')}', clock_timestamp(),
       CASE WHEN warrant NOT IN ('issued', 'released') THEN
         (CASE warrant WHEN 'other nonce' THEN '00000000-0000-0000-0000-000000000009' ELSE '00000000-0000-0000-0000-000000000001' END)::uuid END,
       CASE WHEN warrant NOT IN ('issued', 'released') THEN clock_timestamp() END,
       CASE WHEN warrant NOT IN ('issued', 'redeemed') THEN clock_timestamp() END, micros, over, ${BOUND.micros}, ${BOUND.tokens}, tokens,
       cost / 1000000
     FROM jsonb_to_recordset($1)
       AS x (run uuid, step integer, attempt integer, warrant text, micros bigint, over bigint, tokens bigint, cost numeric)`,
    all.flatMap(({ run, tries }) =>
      tries
        .filter((one) => one.warrant !== null)
        .map(({ step, attempt, warrant, overMicros: over, charge: { micros, tokens, costMicros: cost } }) => ({
          run,
          step,
          attempt,
          warrant,
          micros,
          over,
          tokens,
          cost,
        })),
    ),
  );
}

async function plantExecuted(sql: Sql, all: readonly RunFacts[]): Promise<void> {
  await rows(
    sql,
    `INSERT INTO execute.attempts (run_id, step, attempt, action_digest, nonce)
     SELECT run, step, attempt, '${HEX('a')}', '00000000-0000-0000-0000-000000000001'
     FROM jsonb_to_recordset($1) AS x (run uuid, step integer, attempt integer)`,
    all.flatMap(({ run, tries }) =>
      tries.filter((one) => one.attempted).map(({ step, attempt }) => ({ run, step, attempt })),
    ),
  );
  await rows(
    sql,
    `INSERT INTO execute.results (run_id, step, attempt, status, content_digest, input_tokens, output_tokens, cached_tokens,
       reasoning_tokens, usage_reported, code, cause, digest)
     SELECT run, step, attempt, status, content, one, rest, one, one, told, code, cause,
       execute.result_digest(run, step, attempt, status, content, one, rest, one, one, told, code, NULL, cause, NULL, NULL)
     FROM jsonb_to_recordset($1) AS x (run uuid, step integer, attempt integer, status text, output text, reported bigint),
       LATERAL (SELECT CASE status WHEN 'succeeded' THEN output END AS content,
         CASE status WHEN 'succeeded' THEN 1::bigint END AS one,
         CASE status WHEN 'succeeded' THEN coalesce(reported, 9) - 1 END AS rest,
         CASE status WHEN 'succeeded' THEN reported IS NOT NULL END AS told,
         CASE status WHEN 'failed' THEN 'skill_failed' END AS code, CASE status WHEN 'unknown' THEN 'lost' END AS cause) y`,
    all.flatMap(({ run, tries }) =>
      tries
        .filter((one) => one.attempted && one.result !== null)
        .map((one) => ({ run, ...one, status: one.result, output: contentOf(one) })),
    ),
  );
  await rows(
    sql,
    `INSERT INTO execute.evaluations (run_id, step, attempt, outcome)
     SELECT run, 99, 1, outcome FROM jsonb_to_recordset($1) AS x (run uuid, outcome text)`,
    all.flatMap(({ run, evaluation }) => (evaluation === null ? [] : [{ run, outcome: evaluation.outcome }])),
  );
  await rows(
    sql,
    `WITH x AS (SELECT * FROM jsonb_to_recordset($1) AS x (run uuid, tenant text, outcome text)),
     i AS (INSERT INTO execute.incidents (incident_id, tenant, fingerprint, agent)
       SELECT run, tenant, encode(sha256(run::text::bytea), 'hex'), 'desk' FROM x)
     INSERT INTO execute.incident_occurrences (run_id, incident_id, outcome, step, detail, context)
     SELECT run, run, outcome, 1, 'planted', '{}' FROM x`,
    all.flatMap(({ run, tenant, incident }) => (incident === null ? [] : [{ run, tenant, outcome: incident.outcome }])),
  );
}

async function plantTrace(sql: Sql, all: readonly RunFacts[]): Promise<void> {
  await rows(
    sql,
    `INSERT INTO observe.heads (run_id, length, hash, closed_at)
     SELECT run, length, hash::bytea, CASE WHEN closed THEN clock_timestamp() END
     FROM jsonb_to_recordset($1) AS x (run uuid, length bigint, hash text, closed boolean)`,
    all.flatMap(({ run, trace }) =>
      trace.head === null
        ? []
        : [
            {
              run,
              length: trace.head.length,
              closed: trace.head.closed,
              hash: `\\x${trace.head.hash === 'wrong' ? HEX('9') : hashOf(trace.head.length)}`,
            },
          ],
    ),
  );
  await rows(
    sql,
    `INSERT INTO observe.events (run_id, seq, event_id, kind, bytes, at, hash)
     SELECT run, seq, id, kind, convert_to(bytes, 'UTF8'), clock_timestamp(), hash::bytea
     FROM jsonb_to_recordset($1) AS x (run uuid, seq bigint, id text, kind text, bytes text, hash text)`,
    all.flatMap(({ run, trace, story }) =>
      trace.seqs.map((seq) => {
        const { id, kind, body } = story[seq - 1] ?? { id: `event.${seq}`, kind: 'phase.changed', body: '{}' };
        return {
          run,
          seq,
          id,
          kind,
          bytes: `{"body":${body},"id":"${id}","kind":"${kind}"}`,
          hash: `\\x${hashOf(seq)}`,
        };
      }),
    ),
  );
}

/** Any 32 bytes that differ by number: the judge compares hashes, it does not compute them. */
const hashOf = (seq: number): string => (seq === 0 ? HEX('c') : seq.toString(16).padStart(64, '0'));
