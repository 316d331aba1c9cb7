/** The refusals that matter, each really tried by the login that must not; and the rows afterwards as they were. */
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { randomUUID } from 'node:crypto';
import type { Sql } from '../../src/domain/sql.js';
import { openDatabase, type OpenDatabase } from '../../src/platform/postgres/database.js';
import { logins, type Login } from '../../src/platform/postgres/login.js';
import { actionOf, createLedgerRig, openRun, redeem, reserve, type LedgerRig } from '../decide/ledger-rig.js';

let rig: LedgerRig;
let run: string;
const databases = new Map<Login, OpenDatabase>();
beforeAll(async () => {
  rig = await createLedgerRig();
  for (const login of logins)
    databases.set(login, await openDatabase(rig.stack.urls[login], { login, applicationName: 'tests', max: 1 }));
  run = await openRun(rig.decide);
  await rig.decide.query(`SELECT audit.declare($1, 'acme', 'clerk', 'STANDARD', NULL)`, [run]);
  await rig.decide.query(
    `INSERT INTO decide.budgets (scope, subject, unit, time_window, cap) VALUES ('run', $1, 'usd_micros', 'run', 9)`,
    [run],
  );
  await rig.stack.admin.query(`INSERT INTO observe.heads (run_id, hash) VALUES ($1, sha256(''))`, [run]);
  await reserve(rig.decide, run, 1);
  await reserve(rig.decide, run, 2);
  expect(await redeem(rig.execute, run, 1)).toBe('ok');
});
afterAll(async () => {
  await Promise.all([...databases.values()].map((database) => database.close()));
  await rig.close();
});

/** Every fact of the powers, as one number per table. */
const counts = () =>
  rig.stack.admin.query(
    `SELECT (SELECT json_agg(r ORDER BY r.run_id) FROM decide.runs r)::text AS runs, (SELECT json_agg(a) FROM decide.accounts a)::text AS accounts,
      (SELECT json_agg(c) FROM audit.contracts c)::text AS contracts, (SELECT json_agg(w ORDER BY step) FROM decide.reservations w)::text AS warrants,
      (SELECT count(*) FROM decide.decisions) AS decisions, (SELECT count(*) FROM execute.attempts) AS attempts,
      (SELECT count(*) FROM execute.results) AS results, (SELECT count(*) FROM execute.evaluations) AS evaluations,
      (SELECT count(*) FROM observe.events) AS events, (SELECT count(*) FROM audit.verdicts) AS verdicts,
      (SELECT count(*) FROM audit.acks) AS acks, (SELECT count(*) FROM shop.refunds) AS refunds`,
  );

const decision = `INSERT INTO decide.decisions (run_id, step, attempt, kind, target, effect, action_digest, request_digest, arguments_digest,
  context_digest, not_after, snapshot_digest, policy_set_digest, price_table_digest, body)
  SELECT run_id, 9, 1, kind, target, 'allow', action_digest, request_digest, arguments_digest, context_digest, now(), 's', 'p', 't', '{}'
  FROM decide.decisions WHERE step = 1`;
const attempt = `INSERT INTO execute.attempts (run_id, step, attempt, action_digest, nonce) VALUES (:run, 2, 1, '${actionOf(2)}', gen_random_uuid())`;
const result = `INSERT INTO execute.results (run_id, step, attempt, status, cause, digest) VALUES (:run, 1, 1, 'unknown', 'x', 'x')`;
const event = `INSERT INTO observe.events (run_id, seq, event_id, kind, bytes, at, hash) VALUES (:run, 1, 'a', 'a.b', '{}', now(), sha256(''))`;
const verdict = `INSERT INTO audit.verdicts (run_id, revision, status, findings, facts, judged_at) VALUES (:run, 1, 'COMPLETE', '[]', '{}', now())`;
const ack = `INSERT INTO audit.acks (run_id, n, domain, action, status, evidence, by, at) VALUES (:run, 1, 'logs', 'a', 'done', '{}', 'x', now())`;
const append = `SELECT observe.append(:run, '[{"id":"a","kind":"run.created","bytes":"{}"}]')`;
const ackBy = (domain: string): string =>
  `SELECT audit.ack(:run, '${domain}', 'start_trace', 'done', '{"table": "x"}')`;
const settle = `SELECT decide.settle_and_reserve(:run, '[]', NULL)`;
const redeemIt = `SELECT decide.redeem(:run, 2, 1, '${actionOf(2)}', gen_random_uuid())`;
const judge = 'SELECT audit.judge(NULL, 10)';
/** What PostgreSQL gives to everybody, and all logins of a server share. */
const sharedByAll = [
  `SELECT pg_advisory_lock(hashtext('decide.budgets'))`,
  `SELECT pg_try_advisory_lock_shared(1, 1)`,
  `SELECT lo_create(0)`,
  `SELECT lo_from_bytea(0, 'x')`,
  `SELECT pg_logical_emit_message(false, 'a', 'b')`,
];

const forbidden: Readonly<Record<Login, readonly string[]>> = {
  execute: [
    decision,
    attempt,
    event,
    verdict,
    ack,
    append,
    settle,
    judge,
    ackBy('logs'),
    ackBy('orchestrator'),
    `UPDATE execute.results SET status = 'succeeded'`,
    `INSERT INTO execute.evaluations (run_id, step, attempt, outcome, at) VALUES (:run, 1, 1, 'succeeded', 'epoch')`,
    `DELETE FROM execute.attempts`,
    `UPDATE decide.reservations SET state = 'issued', nonce = NULL`,
    `UPDATE decide.runs SET phase = 'FINALIZING', outcome = 'succeeded'`,
    `SELECT * FROM decide.policy_sets`,
    `SELECT * FROM decide.decisions`,
    `SELECT execute.fence(:run, 1, 1)`,
    `INSERT INTO audit.receipts (tenant, n, run_id, revision, jws, hash, prev) VALUES ('a', 1, :run, 1, 'x', sha256(''), sha256(''))`,
    `UPDATE shop.orders SET total_cents = 1`,
    `DELETE FROM shop.refunds`,
    `CREATE TEMP TABLE contracts (a int)`,
    `CREATE FUNCTION execute.mine() RETURNS int LANGUAGE sql AS 'SELECT 1'`,
  ],
  decide: [
    attempt,
    result,
    event,
    verdict,
    ack,
    append,
    redeemIt,
    judge,
    ackBy('logs'),
    ackBy('incidents'),
    `INSERT INTO execute.evaluations (run_id, step, attempt, outcome) VALUES (:run, 1, 1, 'succeeded')`,
    `INSERT INTO execute.incidents (tenant, fingerprint, agent) VALUES ('a', repeat('0', 64), 'b')`,
    `UPDATE decide.accounts SET spent = 0`,
    `UPDATE decide.accounts SET cap = cap + 1, ceiling = ceiling + 1`,
    `INSERT INTO decide.accounts (scope, subject, unit, time_window, window_start, on_breach, cap, ceiling)
      SELECT scope, subject, unit, time_window, 'epoch', on_breach, 10000, 10000 FROM decide.budgets`,
    `UPDATE decide.budgets SET cap = cap + 1`,
    `INSERT INTO decide.journal (account_id, run_id, step, attempt, op, reserved, spent, over) SELECT account_id, :run, 1, 1, 'release', 0, 0, 0 FROM decide.accounts`,
    `UPDATE decide.reservations SET state = 'released'`,
    `DELETE FROM decide.decisions`,
    `UPDATE decide.decisions SET effect = 'allow'`,
    `DELETE FROM decide.runs`,
    `UPDATE decide.runs SET ended_at = 'epoch'`,
    `UPDATE decide.runs SET latched_at = 'epoch'`,
    `UPDATE decide.holds SET resolved_at = 'epoch'`,
    `UPDATE decide.halts SET lifted_at = 'epoch'`,
    `INSERT INTO decide.acts (run_id, update_id, verb, actor, roles, issuer, allowed, at) VALUES (:run, 'u', 'kill', 'a', '{}', 'local', false, 'epoch')`,
    `INSERT INTO decide.refused_histories (workflow_id, temporal_run_id, run_id, code, at) VALUES ('w', 't', :run, 'c', 'epoch')`,
    `INSERT INTO audit.tenant_profiles (tenant, profile) VALUES ('acme', NULL)`,
    `INSERT INTO audit.deployment_profiles (profile) VALUES ('OBSERVE_ONLY')`,
    `UPDATE decide.runs SET tenant = 'other'`,
    `UPDATE decide.runs SET contract_digest = 'other'`,
    `UPDATE decide.tenants SET profile = 'OBSERVE_ONLY'`,
    `UPDATE decide.halts SET scope = 'agent'`,
    `UPDATE audit.contracts SET expires_at = expires_at + interval '1 day'`,
    `UPDATE audit.templates SET due_after = '1 year'`,
    `DELETE FROM audit.templates`,
    `UPDATE audit.terms SET grace = '1 year'`,
    `SELECT * FROM execute.salts`,
    `SELECT * FROM execute.contents`,
    `INSERT INTO audit.orphans (run_id, status) VALUES (:run, 'X')`,
    `CREATE TEMP TABLE runs (a int)`,
  ],
  observe: [
    decision,
    attempt,
    result,
    event,
    verdict,
    ack,
    settle,
    redeemIt,
    judge,
    ackBy('orchestrator'),
    ackBy('policies'),
    `UPDATE decide.runs SET phase = 'FINALIZING', outcome = 'killed'`,
    `SELECT * FROM decide.runs`,
    `SELECT * FROM decide.v_runs`,
    `UPDATE observe.heads SET length = 9`,
    `DELETE FROM observe.events`,
    `TRUNCATE observe.events`,
    `SELECT audit.declare(:run, 'a', 'b', 'STANDARD', NULL)`,
    `SELECT audit.amend(:run, 1, 1, 1, 'x', now(), now() + interval '1 hour')`,
  ],
  audit: [
    decision,
    attempt,
    result,
    event,
    verdict,
    ack,
    append,
    settle,
    redeemIt,
    ackBy('logs'),
    ackBy('orchestrator'),
    `UPDATE decide.runs SET phase = 'FINALIZING', outcome = 'forced'`,
    `UPDATE decide.accounts SET spent = 0`,
    `UPDATE audit.contracts SET finalize_due = expires_at`,
    `UPDATE audit.contracts SET judge_after = NULL`,
    `UPDATE audit.verdicts SET status = 'COMPLETE'`,
    `DELETE FROM audit.acks`,
    `UPDATE audit.receipts SET jws = 'x'`,
    `DELETE FROM audit.strays`,
    `SELECT audit.amend(:run, 1, 1, 1, 'x', now(), now() + interval '1 hour')`,
    `SELECT decide.accounts_of(:run)`,
    `SELECT * FROM execute.contents`,
  ],
  read: [
    decision,
    attempt,
    result,
    event,
    verdict,
    ack,
    append,
    settle,
    redeemIt,
    judge,
    ackBy('orchestrator'),
    `INSERT INTO decide.halts (scope, subject, reason, set_by) VALUES ('all', '', 'x', 'y')`,
    `INSERT INTO shop.refunds (idempotency_key, order_id, amount_cents, reason) VALUES ('k', 'A-1001', 1, 'r')`,
    `SELECT * FROM execute.contents`,
    `SELECT * FROM execute.salts`,
    `SELECT * FROM decide.snapshots`,
    `SELECT audit.iso(now())`,
  ],
};

describe.each(logins)('the login %s', (login) => {
  it.each(
    [...forbidden[login], ...sharedByAll].map((statement) => [
      statement.replaceAll(/\s+/g, ' ').slice(0, 100),
      statement,
    ]),
  )('may not: %s', async (_name, statement) => {
    const before = await counts();
    const tried = databases.get(login)?.query(statement.replaceAll(':run', `'${run}'`));
    await expect(tried).rejects.toMatchObject({ code: '42501' });
    expect(await counts()).toEqual(before);
  });

  it('may not become another', async () => {
    for (const other of ['rok_decide_owner', 'rok_audit_owner', 'rok_owner', 'rok_execute', 'rok_decide'])
      if (other !== `rok_${login}`) {
        await expect(databases.get(login)?.query(`SET ROLE ${other}`)).rejects.toMatchObject({ code: '42501' });
        await expect(databases.get(login)?.query(`SET SESSION AUTHORIZATION ${other}`)).rejects.toMatchObject({
          code: '42501',
        });
      }
  });
});

it('what was refused is refused for its right and not for its form: the owner may', async () => {
  const rolledBack = (statement: string) =>
    rig.stack.admin
      .transaction(async (sql) => {
        await sql.query(statement.replaceAll(':run', `'${run}'`));
        throw new Error('done');
      })
      .catch((error: unknown) => (error instanceof Error ? error.message : ''));
  for (const statement of [decision, attempt, event, verdict, ack, settle, redeemIt, judge])
    expect([statement, await rolledBack(statement)]).toEqual([statement, 'done']);
});

it('a warrant of one run does not begin an attempt of another', async () => {
  const other = await openRun(rig.decide, randomUUID());
  expect(await redeem(rig.execute, other, 2, { digest: actionOf(2) })).toBe('no_warrant');
});

describe('what the table of compromised workers says that one can, and how it shows', () => {
  const inTransaction = async (login: Login, work: (sql: Sql) => Promise<void>): Promise<void> => {
    const undo = new Error('undone');
    const tried = databases.get(login)?.transaction(async (sql) => {
      await work(sql);
      throw undo;
    });
    await expect(tried).rejects.toBe(undo);
  };

  it('execute says later that what it acknowledged failed: an ack of its own name and of that time, and of no other domain', async () => {
    await inTransaction('execute', async (sql) => {
      const late = `SELECT audit.ack($1, 'policies', 'evaluate_policy', 'failed', '{"at": "late"}') > clock_timestamp() - interval '1 minute' AS now`;
      expect(await sql.query(late, [run])).toEqual([{ now: true }]);
    });
    await expect(
      databases.get('execute')?.query(ackBy('orchestrator').replaceAll(':run', `'${run}'`)),
    ).rejects.toMatchObject({
      code: '42501',
    });
  });

  it('audit reports a workflow closed: a row that stays, and the run is as it was until the deciders decide', async () => {
    await inTransaction('audit', async (sql) => {
      await sql.query(`INSERT INTO audit.orphans (run_id, status) VALUES ($1, 'TERMINATED')`, [run]);
      expect(await sql.query('SELECT phase FROM decide.v_runs WHERE run_id = $1', [run])).toEqual([
        { phase: 'EXECUTING' },
      ]);
    });
    await expect(databases.get('audit')?.query('DELETE FROM audit.orphans')).rejects.toMatchObject({ code: '42501' });
  });

  it('execute does not learn whose history a run is, but for one execution that it names', async () => {
    await inTransaction('execute', async (sql) => {
      const mine = 'SELECT decide.is_history($1, $2) AS mine';
      expect(await sql.query(mine, [run, 'another'])).toEqual([{ mine: false }]);
    });
    await expect(databases.get('execute')?.query('SELECT FROM decide.histories')).rejects.toMatchObject({
      code: '42501',
    });
  });
});
