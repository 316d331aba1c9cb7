/**
 * The one statement that reads the records of runs as rows: every column that a receipt covers, under the name that it has in
 * a bundle (docs/formats.md). The views are those of each power; a tenant's auditor reads the same through its own.
 */

/** Times as they stand in contracts and receipts: RFC 3339 in UTC with six decimals. */
export const isoSql = (column: string): string =>
  `to_char(${column} AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')`;

/** A member for each column: `name`, `name column`, or with how it is written: `name column text`, `name column iso`. */
function fields(list: string): string {
  return list
    .split(',')
    .map((one) => {
      const [name = '', column, form] = one.trim().split(' ');
      const from = `x.${column ?? name.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)}`;
      return `'${name}', ${form === 'iso' ? isoSql(from) : form === 'text' ? `${from}::text` : from}`;
    })
    .join(', ');
}

/** @param when which of the run's rows; those that grow with it only where the verdict states its facts: `w.full` */
const list = (members: string, from: string, when: string, order: string): string =>
  `(SELECT coalesce(json_agg(json_build_object(${members}) ORDER BY ${order}), '[]') FROM ${from} x WHERE x.run_id = w.run_id AND ${when})`;

/** The digest of what persons wrote, as it was sealed. */
const content = (kind: string, key: string): string =>
  `'contentDigest', (SELECT s.digest FROM audit.v_content_digests s WHERE (s.run_id, s.kind, s.key) = (x.run_id, '${kind}', ${key}))`;

/** A deadline as it was at the verdict: as it stands, unless it was amended since. */
const inForce = (
  column: string,
): string => `CASE WHEN EXISTS (SELECT FROM audit.v_amendments m WHERE m.run_id = x.run_id AND m.at > w.judged_at)
       THEN coalesce((SELECT m.${column} FROM audit.v_amendments m WHERE m.run_id = x.run_id AND m.at <= w.judged_at ORDER BY m.n DESC LIMIT 1),
         x.declared_${column}) ELSE x.${column} END`;

/** Nothing resolves a hold any more. */
const OVER = `(SELECT r.phase FROM decide.v_runs r WHERE r.run_id = x.run_id) IN ('COMPLETED', 'FAILED')`;
const BEFORE_VERDICT = 'x.at <= w.judged_at';
const LISTS = {
  amendments: list(
    fields(
      'n, step, attempt, hold, reason, openFrom open_from iso, openUntil open_until iso, runDeadline run_deadline iso, finalizeDue finalize_due iso, at at iso',
    ),
    'audit.v_amendments',
    BEFORE_VERDICT,
    'x.n',
  ),
  acks: list(
    fields('n, domain, action, status, evidence evidence text, by, at at iso'),
    'audit.v_acks',
    BEFORE_VERDICT,
    'x.n',
  ),
  decisions: list(
    fields(
      `step, attempt, kind, target, access, effect, actionDigest, requestDigest, argumentsDigest, contextDigest,
       askedOutputTokens, notAfter not_after iso, snapshotDigest, policySetDigest, priceTableDigest,
       reasons reasons text, notices notices text, holdReason, holdAuthority, holdQuorum, decidedAt decided_at iso`,
    ),
    'decide.v_decisions',
    'w.full',
    'x.step, x.attempt',
  ),
  attempts: list(
    fields('step, attempt, actionDigest, nonce, startedAt started_at iso'),
    'execute.v_attempts',
    'w.full',
    'x.step, x.attempt',
  ),
  results: list(
    fields(
      `step, attempt, status, contentDigest, inputTokens input_tokens text, outputTokens output_tokens text,
       cachedTokens cached_tokens text, reasoningTokens reasoning_tokens text, usageReported, code,
       retryAfterMs retry_after_ms text, cause, reportedModel, finishReason, digest, finishedAt finished_at iso`,
    ),
    'execute.v_results',
    'w.full',
    'x.step, x.attempt',
  ),
  contracts: list(
    `'n', 1, ${fields(
      `tenant, agent, profile, declaredAt declared_at iso, declaredRunDeadline declared_run_deadline iso,
       declaredFinalizeDue declared_finalize_due iso, expiresAt expires_at iso`,
    )}, 'digest', encode(x.digest, 'hex'), 'runDeadline', ${isoSql(`(${inForce('run_deadline')})`)},
     'finalizeDue', ${isoSql(`(${inForce('finalize_due')})`)}`,
    'audit.v_contracts',
    'true',
    'x.run_id',
  ),
  expectations: list(
    fields('n, domain, action, condition, due, dueAt declared_due_at iso'),
    'audit.v_expectations',
    'true',
    'x.n',
  ),
  runs: list(
    `'n', 1, ${fields(
      `tenant, agent, workflowId, temporalRunId, kind, phase, outcome, profile, answer, requester, specDigest, requestDigest, agentDigest, contractDigest,
       limits limits text, counters counters text, runDeadline run_deadline iso, lastStep last_step text, openedAt opened_at iso,
       latchedAt latched_at iso, endedAt ended_at iso`,
    )}, ${content('runs', `'1'`)}`,
    'decide.v_runs',
    // Of an open run the row still moves, as a hold does that nobody resolved yet.
    `w.full AND x.phase IN ('COMPLETED', 'FAILED')`,
    'x.run_id',
  ),
  holds: list(
    `${fields(
      `n hold, step, attempt, actionDigest, reason, authority, quorum, openedAt opened_at iso, until until iso, onTimeout,
       resolvedAt resolved_at iso, resolution`,
    )}, ${content('holds', 'x.hold::text')}`,
    'decide.v_holds',
    `w.full AND (x.resolution IS NOT NULL OR ${OVER})`,
    'x.hold',
  ),
  acts: list(
    `${fields('n, update update_id, verb, person, roles, issuer, tokenId, hold, actionDigest, was, carrier, allowed, at at iso')},
     ${content('acts', 'x.update_id')}`,
    `(SELECT a.*, row_number() OVER (PARTITION BY a.run_id ORDER BY a.at, a.update_id COLLATE "C") AS n FROM decide.v_acts a)`,
    // Who asks for something when the run has ended is refused, and adds nothing to its evidence; both are stamped under its lock.
    `w.full AND (x.allowed OR NOT EXISTS (SELECT FROM decide.v_runs r WHERE r.run_id = x.run_id AND x.at > r.ended_at))`,
    'x.n',
  ),
  uses: list(
    fields('n, hold, step, attempt, at used_at iso'),
    `(SELECT u.*, row_number() OVER (PARTITION BY u.run_id ORDER BY u.used_at, u.hold, u.attempt) AS n FROM decide.v_approval_uses u)`,
    'w.full',
    'x.n',
  ),
  raises: list(
    fields(
      `n, update update_id, scope, subject, unit, window time_window, from from_cap text, to to_cap text, actionDigest, holds,
       at at iso`,
    ),
    `(SELECT r.*, row_number() OVER (PARTITION BY r.run_id ORDER BY r.at, r.update_id COLLATE "C") AS n FROM decide.v_raises r)`,
    'w.full',
    'x.n',
  ),
  evaluations: list(
    `'n', 1, ${fields('step, attempt, outcome, at at iso')}`,
    'execute.v_evaluations',
    'w.full',
    'x.run_id',
  ),
  incidents: list(
    `'n', 1, ${fields('incident incident_id, tenant, agent, fingerprint, day, outcome, step, at at iso')},
     ${content('incidents', `'1'`)}`,
    'execute.v_incident_occurrences',
    'w.full',
    'x.run_id',
  ),
} as const;

/** Parameters: runs, when each was judged, and whether the rows that grow with it are asked for. */
export const RECORDS_SQL = `SELECT w.run_id::text AS uuid, json_build_object(
  ${Object.entries(LISTS)
    .map(([kind, sql]) => `'${kind}', ${sql}`)
    .join(',\n  ')}) AS records
FROM unnest($1::uuid[], $2::timestamptz[], $3::boolean[]) AS w (run_id, judged_at, "full")`;
