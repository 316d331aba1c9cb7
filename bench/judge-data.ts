/**
 * Closed runs by the hundred thousand, as a superuser with triggers off and without CHECKs: 4 acks, 10 attempts and 30
 * events each, and of every hundred runs one for each finding that the verdict's statement can come to. NO_CONTRACT and
 * JUDGE_ERROR are not among them: they are ruled on elsewhere.
 */
import type { Database, Sql } from '../src/domain/sql.js';

/** `n % 100` of a run that has it; what follows the code tells two ways to it apart. */
export const PLANTED = {
  MISSING: 1,
  FAILED: 2,
  ROLLED_BACK: 3,
  HOLLOW: 4,
  UNWARRANTED: 5,
  MISMATCH: 6,
  TRACE_BROKEN: 7,
  OVERRUN: 8,
  FORGED_APPROVAL: 9,
  UNKNOWN_RESULT: 10,
  LATE: 11,
  DRIFT: 12,
  REFUSED_HISTORY: 13,
  'MISMATCH answer': 14,
  'MISMATCH settlement': 15,
  'HOLLOW event': 16,
  'TRACE_BROKEN counts': 17,
  'FORGED_APPROVAL hold': 18,
  ALTERED: 19,
} as const;

const CHUNK = 10_000;
const CLOSED_CHUNK = 250_000;
const HEX = `repeat('5', 64)`;
const ONE = `'00000000-0000-0000-0000-000000000001'::uuid`;
/** Ids that rise, as ids made in time do. */
const RUN = `('01900000-0000-7000-8000-' || lpad(to_hex(n), 12, '0'))::uuid`;
/** Succeeded, but with an incident: a MISMATCH and nothing else. */
const WELL = `n % 100 = ${PLANTED.MISMATCH}`;
const has = (finding: keyof typeof PLANTED): string => `n % 100 = ${PLANTED[finding]}`;

/** A model call, or what may have been one. */
const CHARGED = `(s % 2 = 1 OR (${has('UNKNOWN_RESULT')} AND s = 10))`;

/** Each reads `n` from `ns`. */
const LOADS: readonly string[] = [
  `INSERT INTO audit.contracts SELECT ${RUN}, 'acme', 'desk', 'STANDARD', now() - interval '1 hour', now() + interval '1 day',
     now() + interval '1 day', now() + interval '7 days', '{}', sha256('c'), now() + interval '1 day', now() + interval '1 day', '-infinity'
   FROM ns`,
  `INSERT INTO audit.expectations SELECT ${RUN}, e.* FROM ns, (VALUES
     (1, 'incidents', 'create_incident', 'if_failed', 'finalize', now()), (2, 'policies', 'evaluate_policy', 'always', 'finalize', now()),
     (3, 'orchestrator', 'finalize_run', 'always', 'finalize', now()),
     (4, 'logs', 'start_trace', 'always', 'open', now() - interval '59 minutes')) e`,
  `INSERT INTO audit.acks SELECT ${RUN}, a.at, a.domain, a.action,
     CASE WHEN ${has('FAILED')} AND a.at = 2 THEN 'failed' WHEN ${has('ROLLED_BACK')} AND a.at = 3 THEN 'rolled_back' ELSE 'done' END,
     CASE WHEN ${has('HOLLOW')} AND a.at = 1 THEN '{"table":"observe.events","seq":999}' ELSE a.evidence END, 'bench',
     now() - CASE WHEN ${has('LATE')} AND a.at = 1 THEN interval '50 minutes' ELSE interval '59 minutes 30 seconds' END
   FROM ns, (VALUES (1, 'logs', 'start_trace', '{"table":"observe.events","seq":1}'::jsonb),
     (2, 'policies', 'evaluate_policy', '{"table":"execute.evaluations"}'),
     (3, 'incidents', 'create_incident', '{"table":"execute.incident_occurrences"}'),
     (4, 'orchestrator', 'finalize_run', '{"table":"decide.runs"}'),
     (5, 'policies', 'other_policy', '{"table":"execute.evaluations"}')) a (at, domain, action, evidence)
   WHERE NOT (${has('MISSING')} AND a.at = 2) AND (a.at < 5 OR ${has('DRIFT')})`,
  `INSERT INTO decide.runs (run_id, tenant, agent, workflow_id, temporal_run_id, phase, outcome, profile, spec_digest, actor, limits,
     contract_digest, run_deadline, requester, answer, ended_at)
   SELECT ${RUN}, 'acme', 'desk', 'rok/acme/' || n, 'history-of-' || n, CASE WHEN ${WELL} THEN 'COMPLETED' ELSE 'FAILED' END,
     CASE WHEN ${WELL} THEN 'succeeded' ELSE 'failed' END, 'STANDARD', ${HEX}, '{"name":"local:ann"}', '{}', ${HEX}, now(), ${ONE},
     CASE WHEN ${WELL} THEN ${HEX} WHEN ${has('MISMATCH answer')} THEN 'x' END, now() FROM ns`,
  `INSERT INTO decide.acts (run_id, update_id, verb, actor, person, roles, issuer, allowed)
   SELECT ${RUN}, 'start', 'start', 'local:ann', ${ONE}, '{}', 'local', true FROM ns`,
  `INSERT INTO decide.holds (run_id, hold, reason, authority, quorum, opened_by, until, on_timeout, resolved_at, resolution)
   SELECT ${RUN}, 1, 'MANUAL', 'operator', 1, 'ann', now(), 'terminate', now(), 'approved' FROM ns WHERE ${has('FORGED_APPROVAL hold')}`,
  `INSERT INTO decide.decisions (run_id, step, attempt, kind, target, access, effect, action_digest, request_digest, arguments_digest,
     context_digest, not_after, snapshot_digest, policy_set_digest, price_table_digest, body)
   SELECT ${RUN}, s, 1, CASE WHEN s = 0 THEN 'run.start' WHEN s = 11 THEN 'run.outcome' WHEN s % 2 = 0 THEN 'skill.call' ELSE 'model.call' END,
     'a/target', CASE WHEN s % 2 = 0 THEN 'write' END, 'allow', ${HEX}, ${HEX}, ${HEX}, ${HEX}, now(), ${HEX}, ${HEX}, ${HEX},
     '{"effect":"allow","determining":["some-policy"]}' FROM ns, generate_series(0, 11) s`,
  `INSERT INTO decide.reservations (run_id, step, attempt, turn, state, action_digest, not_after, nonce, redeemed_at, closed_at,
     spent_micros, over_micros, bound_micros, bound_tokens, tokens, cost_usd)
   SELECT ${RUN}, s, 1, s, CASE WHEN ${has('UNKNOWN_RESULT')} AND s = 10 THEN 'forfeited' ELSE 'settled' END, ${HEX}, now(), CASE WHEN ${has('UNWARRANTED')} AND s = 5 THEN gen_random_uuid() ELSE ${ONE} END,
     now(), now(), CASE WHEN ${CHARGED} THEN 10 ELSE 0 END, CASE WHEN ${has('OVERRUN')} AND s = 3 THEN 7 ELSE 0 END, 10, 5,
     CASE WHEN ${CHARGED} THEN 5 ELSE 0 END, CASE WHEN ${has('OVERRUN')} AND s = 3 THEN 0.000017 WHEN ${has('MISMATCH settlement')} AND s = 1
       THEN 0.000003 ELSE 0.00001 END FROM ns, generate_series(1, 10) s`,
  `INSERT INTO execute.attempts (run_id, step, attempt, action_digest, nonce)
   SELECT ${RUN}, s, 1, ${HEX}, ${ONE} FROM ns, generate_series(1, 10) s`,
  `INSERT INTO execute.results (run_id, step, attempt, status, content_digest, input_tokens, output_tokens, cached_tokens,
     reasoning_tokens, usage_reported, cause, digest)
   SELECT ${RUN}, s, 1, CASE WHEN u THEN 'unknown' ELSE 'succeeded' END, CASE WHEN NOT u THEN ${HEX} END, 1, 1, 1, 1, true,
     CASE WHEN u THEN 'lost' END, ${HEX} FROM ns, generate_series(1, 10) s, LATERAL (SELECT ${has('UNKNOWN_RESULT')} AND s = 10) x (u)`,
  `INSERT INTO execute.evaluations (run_id, step, attempt, outcome)
   SELECT ${RUN}, 11, 1, CASE WHEN ${WELL} THEN 'succeeded' ELSE 'failed' END FROM ns`,
  `INSERT INTO execute.incident_occurrences (run_id, incident_id, outcome, step, detail, context)
   SELECT ${RUN}, ${ONE}, CASE WHEN ${WELL} THEN 'succeeded' ELSE 'failed' END, 10, 'planted', '{}' FROM ns`,
  `INSERT INTO observe.heads SELECT ${RUN}, 30, sha256('30'), now() FROM ns`,
  // Its start, ten steps decided and executed, eight that tell of no row, and its end.
  `INSERT INTO observe.events SELECT ${RUN}, s, e.id, e.kind, CASE s WHEN 30 THEN convert_to('{"body":{"events":' ||
       CASE WHEN ${has('TRACE_BROKEN counts')} THEN 29 ELSE 30 END || ',"outcome":"x"}}', 'UTF8') ELSE '{}' END, now(), sha256(s::text::bytea)
   FROM ns, generate_series(1, 30) s CROSS JOIN LATERAL (SELECT
     CASE WHEN s = 1 THEN 'run.authorized' WHEN s = 30 THEN 'run.closing' WHEN s = 29 AND ${has('HOLLOW event')} THEN '77.1.decided'
       WHEN s > 21 THEN 'event.' || s WHEN s % 2 = 0 THEN s / 2 || '.1.decided' ELSE s / 2 || '.1.executed' END AS id,
     CASE WHEN s = 1 THEN 'run.authorized' WHEN s = 30 THEN 'run.closing' WHEN s = 29 AND ${has('HOLLOW event')} THEN 'step.decided'
       WHEN s > 21 THEN 'phase.changed' WHEN s % 2 = 0 THEN 'step.decided' ELSE 'step.executed' END AS kind) e
   WHERE NOT (${has('TRACE_BROKEN')} AND s = 25)`,
  `INSERT INTO audit.approval_checks (run_id, update_id, ok, detail) SELECT ${RUN}, 'u-1', false, 'forged' FROM ns WHERE ${has('FORGED_APPROVAL')}`,
  `INSERT INTO audit.altered (run_id, revision, what, detail) SELECT ${RUN}, 1, 'act 1', 'it is not there' FROM ns WHERE ${has('ALTERED')}`,
  `INSERT INTO decide.refused_histories (workflow_id, temporal_run_id, run_id, code)
   SELECT 'rok/other', 'other-' || n, ${RUN}, 'not_this_history' FROM ns WHERE ${has('REFUSED_HISTORY')}`,
];

async function loading(database: Database, work: (sql: Sql) => Promise<unknown>): Promise<void> {
  await database.transaction(async (sql) => {
    await sql.query('SET LOCAL session_replication_role = replica');
    await work(sql);
  });
}

/** Two at a time. */
async function inChunks(
  from: number,
  to: number,
  size: number,
  load: (first: number, last: number) => Promise<void>,
): Promise<void> {
  let next = from;
  const work = async (): Promise<void> => {
    while (next <= to) {
      const first = next;
      next += size;
      await load(first, Math.min(first + size - 1, to));
    }
  };
  await Promise.all([work(), work()]);
}

/** @param runs a multiple of 100 */
export async function loadRuns(database: Database, runs: number): Promise<void> {
  await dropChecks(database);
  await loading(database, (sql) =>
    sql.query(
      `INSERT INTO execute.incidents (incident_id, tenant, fingerprint, agent) VALUES (${ONE}, 'acme', ${HEX}, 'desk')`,
    ),
  );
  await inChunks(1, runs, CHUNK, (first, last) => {
    const ns = `WITH ns AS (SELECT generate_series(${first}, ${last})::bigint AS n)`;
    return loading(database, async (sql) => {
      for (const load of LOADS) await sql.query(`${ns} ${load}`);
    });
  });
  await database.query('VACUUM (ANALYZE)');
}

/** Runs that ended and were judged, and open ones that are not due: what a sweep must not look at. */
export async function loadClosed(
  database: Database,
  { from, closed, open }: { readonly from: number; readonly closed: number; readonly open: number },
): Promise<void> {
  const last = from + closed + open - 1;
  const isOpen = `n > ${from + closed - 1}`;
  await inChunks(from, last, CLOSED_CHUNK, (first, end) => {
    const ns = `WITH ns AS (SELECT generate_series(${first}, ${end})::bigint AS n)`;
    return loading(database, async (sql) => {
      await sql.query(
        `${ns} INSERT INTO audit.contracts SELECT ${RUN}, 'acme', 'desk', 'STANDARD', now() - interval '1 hour', now() + interval '1 day',
           now() + interval '1 day', now() + interval '7 days', '{}', sha256('c'), now() + interval '1 day', now() + interval '1 day',
           CASE WHEN ${isOpen} THEN now() + interval '1 day' END FROM ns`,
      );
      await sql.query(
        `${ns} INSERT INTO audit.verdicts SELECT ${RUN}, 1, 'COMPLETE', '[]', '{}', now() FROM ns WHERE NOT ${isOpen}`,
      );
    });
  });
  await database.query('VACUUM (ANALYZE) audit.contracts');
  await database.query('VACUUM (ANALYZE) audit.verdicts');
}

/** A result's CHECK hashes its row, which would be most of the time. */
async function dropChecks(database: Database): Promise<void> {
  await database.query(`DO $$ DECLARE c record; BEGIN
    FOR c IN SELECT conrelid::regclass AS t, conname FROM pg_constraint
      WHERE contype = 'c' AND conrelid::regclass::text ~ '^(audit|decide|execute|observe)[.]'
    LOOP EXECUTE format('ALTER TABLE %s DROP CONSTRAINT %I', c.t, c.conname); END LOOP; END $$`);
}
