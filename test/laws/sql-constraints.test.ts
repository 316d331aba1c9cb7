/** What the tables refuse whoever writes, the superuser included: impossible phases, attempts without an allow, rewriting. */
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { randomUUID } from 'node:crypto';
import {
  OUTCOMES,
  PHASES,
  transition,
  type LifecycleEvent,
  type Outcome,
  type Phase,
} from '../../src/domain/phases.js';
import type { Sql } from '../../src/domain/sql.js';
import { createStack, type Stack } from '../stack/stack.js';
import { evidenceTables } from './expected-grants.js';

let stack: Stack;
beforeAll(async () => {
  stack = await createStack();
});
afterAll(() => stack.drop());

const insertRun = async (sql: Sql, run: string, phase: Phase, outcome: Outcome | null) => {
  await sql.query(`SELECT audit.declare($1, 'acme', 'clerk', 'STANDARD', NULL)`, [run]);
  await sql.query(
    `INSERT INTO decide.runs (run_id, tenant, agent, workflow_id, temporal_run_id, phase, outcome, profile, spec_digest, actor, limits,
      contract_digest, run_deadline, ended_at)
    VALUES ($1, 'acme', 'clerk', $2, 'first', $3, $4, 'STANDARD', 's', '{}', '{}', 'c', now(), $5)`,
    [run, `w-${run}`, phase, outcome, phase === 'COMPLETED' || phase === 'FAILED' ? new Date().toISOString() : null],
  );
};

const codeOf = (work: Promise<unknown>): Promise<string> =>
  work.then(
    () => 'ok',
    (error: unknown) => (error as { code?: string }).code ?? 'no code',
  );

/** Tries and undoes. */
const tried = (work: (sql: Sql) => Promise<unknown>): Promise<string> => {
  const undo = Object.assign(new Error('undo'), { code: 'ok' });
  return codeOf(
    stack.admin.transaction(async (sql) => {
      await work(sql);
      throw undo;
    }),
  );
};

const holds = (phase: Phase, outcome: Outcome | null): boolean => {
  if (phase === 'COMPLETED') return outcome === 'succeeded';
  if (phase === 'FAILED') return outcome !== null && outcome !== 'succeeded';
  return (phase === 'FINALIZING') === (outcome !== null);
};
const pairs = PHASES.flatMap((phase) => [null, ...OUTCOMES].map((outcome) => [phase, outcome] as const));

describe('a run', () => {
  it('is in no impossible pair of phase and outcome: 60 tried', async () => {
    for (const [phase, outcome] of pairs)
      expect([phase, outcome, await tried((sql) => insertRun(sql, randomUUID(), phase, outcome))]).toEqual([
        phase,
        outcome,
        holds(phase, outcome) ? 'ok' : '23514',
      ]);
  });

  it('moves as the lifecycle says, and in no other way: every pair of states tried', async () => {
    const possible = pairs.filter(([phase, outcome]) => holds(phase, outcome));
    const events: readonly LifecycleEvent[] = [
      { type: 'authorize' },
      { type: 'execute' },
      { type: 'finalize' },
      ...OUTCOMES.map((outcome): LifecycleEvent => ({ type: 'latch', outcome })),
    ];
    const wrong: unknown[] = [];
    for (const [phase, outcome] of possible) {
      const reached = events
        .map((event) => transition({ phase, outcome }, event))
        .flatMap((one) => (one.ok ? [one.state] : []));
      const stays = [{ phase, outcome }];
      const stopped =
        phase === 'FINALIZING' && outcome === 'succeeded' ? [{ phase, outcome: 'policy_stopped' as const }] : [];
      const allowed = [...reached, ...stays, ...stopped].map((state) => `${state.phase} ${state.outcome ?? ''}`);
      for (const [next, nextOutcome] of possible) {
        const answer = await tried(async (sql) => {
          const run = randomUUID();
          await insertRun(sql, run, phase, outcome);
          await sql.query(
            `UPDATE decide.runs SET phase = $2::text, outcome = $3,
              ended_at = CASE WHEN $2::text IN ('COMPLETED', 'FAILED') THEN coalesce(ended_at, now()) END WHERE run_id = $1`,
            [run, next, nextOutcome],
          );
        });
        const may = allowed.includes(`${next} ${nextOutcome ?? ''}`);
        if (answer !== (may ? 'ok' : '55000')) wrong.push([phase, outcome, next, nextOutcome, answer]);
      }
    }
    expect(wrong).toEqual([]);
  });
});

describe('an attempt', () => {
  const digest = 'a'.repeat(64);
  const decided = async (sql: Sql, effect: string): Promise<string> => {
    const run = randomUUID();
    await insertRun(sql, run, 'EXECUTING', null);
    await sql.query(
      `INSERT INTO decide.decisions (run_id, step, attempt, kind, target, effect, action_digest, request_digest, arguments_digest,
        context_digest, not_after, snapshot_digest, policy_set_digest, price_table_digest, body)
      VALUES ($1, 1, 1, 'model.call', 'm', $2::text, $3::text, $3::text, $3::text, $3::text, CASE WHEN $2::text = 'allow' THEN now() END, 's', 'p', 't', '{}')`,
      [run, effect, digest],
    );
    return run;
  };
  const begin = (sql: Sql, values: readonly unknown[]) =>
    sql.query(
      'INSERT INTO execute.attempts (run_id, step, attempt, action_digest, effect, nonce) VALUES ($1, $2, $3, $4, $5, $6)',
      values,
    );

  it.each([
    ['is taken under its allow', 'allow', [1, 1, digest, 'allow', randomUUID()], 'ok'],
    ['is refused under a deny', 'deny', [1, 1, digest, 'allow', randomUUID()], '23503'],
    ['is refused under a pause', 'pause', [1, 1, digest, 'allow', randomUUID()], '23503'],
    ['may not say that it was denied', 'deny', [1, 1, digest, 'deny', randomUUID()], '23514'],
    ['is refused for another action', 'allow', [1, 1, 'b'.repeat(64), 'allow', randomUUID()], '23503'],
    ['is refused for a step never decided', 'allow', [2, 1, digest, 'allow', randomUUID()], '23503'],
    ['is refused for an attempt never decided', 'allow', [1, 2, digest, 'allow', randomUUID()], '23503'],
    // A composite key with a NULL in it is not checked: so there may be none.
    ['is refused without an action', 'allow', [1, 1, null, 'allow', randomUUID()], '23502'],
    ['is refused without an effect', 'allow', [1, 1, digest, null, randomUUID()], '23502'],
    ['is refused without a step', 'allow', [null, 1, digest, 'allow', randomUUID()], '23502'],
    ['is refused without a nonce', 'allow', [1, 1, digest, 'allow', null], '23502'],
  ] as const)('%s', async (_name, effect, values, code) => {
    expect(await tried(async (sql) => begin(sql, [await decided(sql, effect), ...values]))).toBe(code);
  });

  it('is bound to its decision by a key that is in force, of columns that are never NULL', async () => {
    expect(
      await stack.admin.query(
        `SELECT pg_get_constraintdef(c.oid) AS key, bool_and(a.attnotnull) AS filled FROM pg_constraint c
        JOIN pg_attribute a ON a.attrelid = c.conrelid AND a.attnum = ANY (c.conkey)
        WHERE c.conrelid = 'execute.attempts'::regclass AND c.contype = 'f' AND c.convalidated AND NOT c.condeferrable GROUP BY c.oid`,
      ),
    ).toEqual([
      {
        key: 'FOREIGN KEY (run_id, step, attempt, action_digest, effect) REFERENCES decide.decisions(run_id, step, attempt, action_digest, effect)',
        filled: true,
      },
    ]);
  });
});

describe('evidence', () => {
  // A row of each, without its foreign keys, so that the trigger is what refuses.
  it.each(evidenceTables)('in %s is neither changed nor deleted, not even by the superuser', async (table) => {
    const columns = await stack.admin.query<{ name: string; type: string; generated: string }>(
      `SELECT quote_ident(attname) AS name, regexp_replace(format_type(atttypid, NULL), '^rok[.]', '') AS type, attidentity::text AS generated FROM pg_attribute
      WHERE attrelid = $1::regclass AND attnum > 0 AND NOT attisdropped ORDER BY attnum`,
      [table],
    );
    const first = columns.find(({ generated }) => generated === '')?.name ?? '';
    const attempted = (statement: string): Promise<string> =>
      tried(async (sql) => {
        // Checks and keys are lifted inside this transaction only; the append-only trigger stays.
        const lifted = await sql.query<{ name: string }>(
          `SELECT quote_ident(conname) AS name FROM pg_constraint WHERE conrelid = $1::regclass AND contype IN ('c', 'f')`,
          [table],
        );
        for (const { name } of lifted) await sql.query(`ALTER TABLE ${table} DROP CONSTRAINT ${name} CASCADE`);
        for (const { name, generated } of columns)
          if (generated === '' && !(await isKey(sql, table, name)))
            await sql.query(`ALTER TABLE ${table} ALTER COLUMN ${name} DROP NOT NULL`);
        await sql.query(`ALTER TABLE ${table} DISABLE TRIGGER USER`);
        await insertAny(sql, table, columns);
        await sql.query(`ALTER TABLE ${table} ENABLE TRIGGER append_only`);
        await sql.query(statement);
      });
    expect(await attempted(`UPDATE ${table} SET ${first} = ${first}`)).toBe('55000');
    expect(await attempted(`DELETE FROM ${table}`)).toBe('55000');
    // And the row was there to be changed: without the trigger it goes.
    expect(await attempted(`ALTER TABLE ${table} DISABLE TRIGGER append_only; DELETE FROM ${table}`)).toBe('ok');
  });
});

async function isKey(sql: Sql, table: string, column: string): Promise<boolean> {
  const found = await sql.query(
    `SELECT 1 FROM pg_index i JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = ANY (i.indkey)
    WHERE i.indrelid = $1::regclass AND i.indisprimary AND quote_ident(a.attname) = $2`,
    [table, column],
  );
  return found.length > 0;
}

const samples: Readonly<Record<string, string>> = {
  uuid: 'gen_random_uuid()',
  text: "'x'",
  integer: '1',
  bigint: '1',
  'timestamp with time zone': 'now()',
  bytea: "sha256('')",
  boolean: 'true',
  sha256_hex: "repeat('a', 64)",
  whole: '1',
  event_number: '1',
  ordinal: '1',
};

async function insertAny(
  sql: Sql,
  table: string,
  columns: readonly { readonly name: string; readonly type: string; readonly generated: string }[],
): Promise<void> {
  const filled: { readonly name: string; readonly value: string }[] = [];
  for (const { name, type, generated } of columns)
    if (generated === '' && (await isKey(sql, table, name))) filled.push({ name, value: samples[type] ?? 'NULL' });
  const into = filled.map(({ name }) => name).join(', ');
  await sql.query(
    filled.length === 0
      ? `INSERT INTO ${table} DEFAULT VALUES`
      : `INSERT INTO ${table} (${into}) VALUES (${filled.map(({ value }) => value).join(', ')})`,
  );
}
