/**
 * Changes by a superuser, triggers off, of each column that receipts of version 2 cover: the run's own row, the contract's
 * columns, expectations, holds, acts, uses, evaluations and incidents; and of what persons wrote, which is covered by digest.
 */
import type { Sql } from '../../src/domain/sql.js';
import type { Random } from './tamper-random.js';

/** @returns the start of the answer, as far as it is known; null when nothing came of it */
export type RowChange = (sql: Sql, run: string, other: string, random: Random) => Promise<string | null>;

type Covered = {
  readonly table: string;
  /** How a verifier names the row. */
  readonly what: string;
  /** The column that numbers it, where there are several. */
  readonly key?: string;
  readonly columns: Readonly<Record<string, string>>;
};

const EARLIER = (column: string): string => `${column} - interval '1 microsecond'`;
const COVERED: readonly Covered[] = [
  {
    table: 'decide.runs',
    what: 'run row 1',
    columns: {
      tenant: `'another'`,
      agent: `'another'`,
      workflow_id: `workflow_id || 'x'`,
      temporal_run_id: `'another'`,
      kind: `'own'`,
      phase: `'FAILED', outcome = 'failed'`,
      profile: `'OBSERVE_ONLY'`,
      answer: `repeat('8', 64)`,
      requester: 'gen_random_uuid()',
      request_digest: `repeat('8', 64)`,
      spec_digest: `repeat('8', 64)`,
      agent_digest: `repeat('8', 64)`,
      contract_digest: `repeat('8', 64)`,
      limits: `'{"usdMicros":"9"}'`,
      counters: `'{"steps":99}'`,
      run_deadline: EARLIER('run_deadline'),
      last_step: 'last_step + 1',
      opened_at: EARLIER('opened_at'),
      latched_at: `'2020-01-01'`,
      ended_at: EARLIER('ended_at'),
    },
  },
  {
    table: 'audit.contracts',
    what: 'contract row 1',
    columns: {
      tenant: `'another'`,
      agent: `'another'`,
      profile: `'OBSERVE_ONLY'`,
      declared_at: EARLIER('declared_at'),
      declared_run_deadline: EARLIER('declared_run_deadline'),
      declared_finalize_due: EARLIER('declared_finalize_due'),
      expires_at: `expires_at + interval '1 day'`,
      digest: `decode(repeat('8', 64), 'hex')`,
      run_deadline: EARLIER('run_deadline'),
      finalize_due: `finalize_due + interval '1 second'`,
    },
  },
  {
    table: 'audit.expectations',
    what: 'expectation row',
    key: 'n',
    columns: {
      domain: `'another'`,
      action: `'another'`,
      condition: `CASE condition WHEN 'always' THEN 'if_failed' ELSE 'always' END`,
      due: `CASE due WHEN 'open' THEN 'finalize' ELSE 'open' END`,
      due_at: EARLIER('due_at'),
    },
  },
  {
    table: 'audit.amendments',
    what: 'amendment',
    key: 'n',
    columns: { open_from: EARLIER('open_from'), open_until: EARLIER('open_until') },
  },
  {
    table: 'decide.holds',
    what: 'hold',
    key: 'hold',
    columns: {
      step: 'step + 70',
      attempt: 'attempt + 1',
      action_digest: `repeat('8', 64)`,
      reason: `'NO_PROGRESS'`,
      authority: `'another'`,
      quorum: 'quorum + 1',
      opened_at: EARLIER('opened_at'),
      until: EARLIER('until'),
      on_timeout: `'continue'`,
      resolved_at: EARLIER('resolved_at'),
      resolution: `'timed_out'`,
    },
  },
  {
    table: 'decide.acts',
    what: 'act 1',
    columns: {
      update_id: `'another'`,
      verb: `'reject'`,
      person: 'gen_random_uuid()',
      roles: `'{operator}'`,
      issuer: `'https://another'`,
      token_id: `'another'`,
      hold: 'hold + 1',
      action_digest: `repeat('8', 64)`,
      carrier: `'another'`,
      allowed: 'NOT allowed',
      at: EARLIER('at'),
    },
  },
  {
    table: 'decide.approval_uses',
    what: 'use 1',
    columns: { hold: 'hold + 1', step: 'step + 1', attempt: 'attempt + 1', used_at: EARLIER('used_at') },
  },
  {
    table: 'execute.evaluations',
    what: 'evaluation 1',
    columns: { step: 'step + 1', attempt: 'attempt + 1', outcome: `'failed'`, at: EARLIER('at') },
  },
];

const rowsOf = (sql: Sql, { table, key }: Covered, run: string) =>
  sql.query<{ n: number }>(`SELECT ${key ?? '1'} AS n FROM ${table} WHERE run_id = $1 ORDER BY 1`, [run]);

/** Null where the run has no such row, or no such value in it. */
function columnChange(covered: Covered, column: string, value: string): RowChange {
  return async (sql, run, _other, random) => {
    const rows = await rowsOf(sql, covered, run);
    if (rows.length === 0) return null;
    const { n } = random.of(rows);
    const changed = await sql.query(
      `UPDATE ${covered.table} SET ${column} = ${value} WHERE run_id = $1 AND ${covered.key ?? '1'} = $2 RETURNING 1`,
      [run, n],
    );
    if (changed.length === 0) return null;
    return covered.key === undefined ? covered.what : `${covered.what} ${n}`;
  };
}

function gone(covered: Covered): RowChange {
  return async (sql, run, _other, random) => {
    const rows = await rowsOf(sql, covered, run);
    if (rows.length === 0) return null;
    const { n } = random.of(rows);
    await sql.query(`DELETE FROM ${covered.table} WHERE run_id = $1 AND ${covered.key ?? '1'} = $2`, [run, n]);
    // Without a contract row there is no contract either.
    return covered.table === 'audit.contracts'
      ? 'contract: '
      : covered.key === undefined
        ? covered.what
        : `${covered.what} ${n}`;
  };
}

const putIn = (what: string, statement: string): RowChange => {
  return async (sql, run) => {
    await sql.query(statement, [run]);
    return what;
  };
};

/** By name, each change of each column, each kind of row left out, and rows that never were. */
export const COLUMN_CHANGES: Readonly<Record<string, RowChange>> = {
  ...Object.fromEntries(
    COVERED.flatMap((covered): readonly (readonly [string, RowChange])[] => [
      ...Object.entries(covered.columns).map(
        ([column, value]) => [`${covered.table}: its ${column}`, columnChange(covered, column, value)] as const,
      ),
      [`${covered.table}: a row left out`, gone(covered)],
    ]),
  ),
  'decide.acts: one put in': putIn(
    'act ',
    `INSERT INTO decide.acts (run_id, update_id, verb, actor, roles, issuer, allowed, at)
     VALUES ($1, 'early', 'pause', 'local:eve', '{}', 'local', false, '2000-01-01')`,
  ),
  'execute.incident_occurrences: one put in': putIn(
    'incident 1: the receipt does not state it',
    `WITH i AS (INSERT INTO execute.incidents (tenant, fingerprint, agent) VALUES ('acme', repeat('8', 64), 'desk') RETURNING incident_id)
     INSERT INTO execute.incident_occurrences (run_id, incident_id, outcome, step, detail, context)
     SELECT $1, i.incident_id, 'failed', 1, 'made up', '{}' FROM i`,
  ),
};
