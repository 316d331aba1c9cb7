/** An auditor's login: it reads all evidence of its tenant and none of another's, and changes nothing, whichever way it comes. */
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { randomBytes } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { JWK } from 'jose';
import { closeRun } from '../../src/audit/judge/close.js';
import { enterKey } from '../../src/audit/evidence/key-set.js';
import { createSigner } from '../../src/audit/receipts/signer.js';
import { refusal } from '../../src/decide/actors/access.js';
import { openDatabase, type OpenDatabase } from '../../src/platform/postgres/database.js';
import { rok, createRig, saying, type Rig } from '../cli/rig.js';
import { closeLogins, openLogins, sealedRun, type Logins } from './sealed-run.js';

const VERBS = ['SELECT', 'INSERT', 'UPDATE', 'DELETE', 'TRUNCATE', 'REFERENCES', 'TRIGGER', 'MAINTAIN'] as const;
const login = `rok_auditor_${randomBytes(6).toString('hex')}`;
let rig: Rig;
let logins: Logins;
let auditor: OpenDatabase;
let env: NodeJS.ProcessEnv;
let mine: string;
let theirs: string;
beforeAll(async () => {
  rig = await createRig({ workers: false });
  logins = await openLogins(rig.stack);
  const signer = await createSigner(JSON.parse(await readFile(rig.keys.signingKey, 'utf8')) as JWK);
  await enterKey(logins.audit, signer);
  const log = { info: () => undefined, warn: () => undefined, error: () => undefined };
  const signed = async (tenant: string) => {
    const run = await sealedRun(rig.stack, logins, { tenant, rich: true });
    await closeRun({ database: logins.audit, signer, assertionKeys: null, log }, run);
    return run;
  };
  [mine, theirs] = [await signed('acme'), await signed('globex')];
  const password = randomBytes(12).toString('hex');
  await rig.stack.admin.query(`CREATE ROLE ${login} LOGIN PASSWORD '${password}' IN ROLE rok_auditor`);
  await rig.stack.admin.query('INSERT INTO auditor.tenants (login, tenant) VALUES ($1, $2)', [login, 'acme']);
  const url = new URL(rig.stack.adminUrl);
  [url.username, url.password] = [login, password];
  auditor = await openDatabase(url.href, { applicationName: 'tests', max: 2 });
  // Only the reading URL: nothing of this environment could write.
  env = { GOVERNANCE_PROFILE: 'STANDARD', ROK_DATABASE_URL_READ: url.href };
});
afterAll(async () => {
  await auditor.close();
  await closeLogins(logins);
  await rig.stack.admin.query(`DELETE FROM auditor.tenants WHERE login = $1`, [login]);
  const { adminUrl } = rig.stack;
  await rig.stop();
  const url = new URL(adminUrl);
  url.pathname = '/postgres';
  const server = await openDatabase(url.href, { applicationName: 'tests', max: 1 });
  await server.query(`DROP ROLE ${login}`);
  await server.close();
});

describe('on the database', () => {
  it('has exactly SELECT on the views of schema `auditor`, and may call what rules on a run and what a view asks, which write nothing', async () => {
    const rights = await rig.stack.admin.query<{ relation: string; rights: string }>(
      `SELECT n.nspname || '.' || c.relname AS relation, string_agg(v, ' ') AS rights
       FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace, unnest($2::text[]) v
       WHERE n.nspname IN ('rok', 'decide', 'execute', 'observe', 'audit', 'shop', 'auditor', 'public') AND c.relkind IN ('r', 'p', 'v', 'm', 'f')
         AND (has_table_privilege($1, c.oid, v) OR (v IN ('SELECT', 'INSERT', 'UPDATE', 'REFERENCES') AND has_any_column_privilege($1, c.oid, v)))
       GROUP BY 1`,
      [login, VERBS],
    );
    expect(rights.filter((one) => !one.relation.startsWith('auditor.') || one.rights !== 'SELECT')).toEqual([]);
    expect(rights.length).toBe(38);
    expect(
      await rig.stack.admin.query(
        `SELECT p.oid::regprocedure FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
         WHERE n.nspname IN ('rok', 'decide', 'execute', 'observe', 'audit', 'auditor') AND has_function_privilege($1, p.oid, 'EXECUTE') ORDER BY n.nspname`,
        [login],
      ),
    ).toEqual([{ oid: expect.stringContaining('audit.settlement_fault(') }, { oid: 'auditor.rejudge(uuid)' }]);
  });

  it('judges a run of its tenant again, and none of another', async () => {
    const ruled = await auditor.query('SELECT status FROM auditor.rejudge($1)', [mine.slice(4)]);
    expect(ruled).toHaveLength(1);
    const foreign = await rig.stack.admin.query<{ run_id: string }>(
      `SELECT run_id FROM audit.contracts WHERE tenant <> 'acme' LIMIT 1`,
    );
    expect(foreign).toHaveLength(1);
    expect(await auditor.query('SELECT status FROM auditor.rejudge($1)', [foreign[0]?.run_id])).toEqual([]);
  });

  it('reads every view, with rows of its tenant and of no other', async () => {
    const views = await rig.stack.admin.query<{ view: string; keyed: boolean }>(
      `SELECT c.relname AS view, EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attname = 'run_id') AS keyed
       FROM pg_class c WHERE c.relnamespace = 'auditor'::regnamespace AND c.relkind = 'v' ORDER BY 1`,
    );
    const filled: string[] = [];
    for (const { view, keyed } of views) {
      const rows = await auditor.query<{ run_id?: string; tenant?: string }>(`SELECT * FROM auditor.${view}`);
      if (rows.length > 0) filled.push(view);
      if (keyed)
        expect(new Set(rows.map((row) => `run_${row.run_id ?? ''}`))).toEqual(new Set(rows.length > 0 ? [mine] : []));
      expect(rows.filter((row) => row.tenant !== undefined && row.tenant !== 'acme')).toEqual([]);
    }
    expect(filled).toEqual([
      'audit_v_acks',
      'audit_v_all_verdicts',
      'audit_v_amendments',
      'audit_v_approval_checks',
      'audit_v_content_digests',
      'audit_v_contracts',
      'audit_v_expectations',
      'audit_v_keys',
      'audit_v_receipt_heads',
      'audit_v_receipts',
      'audit_v_verdicts',
      'decide_v_acts',
      'decide_v_approval_uses',
      'decide_v_decisions',
      'decide_v_holds',
      'decide_v_reservations',
      'decide_v_rulings',
      'decide_v_runs',
      'execute_v_attempts',
      'execute_v_evaluations',
      'execute_v_results',
      'observe_v_events',
      'observe_v_heads',
    ]);
  });

  it.each([
    'SELECT * FROM decide.v_runs',
    'SELECT * FROM audit.receipts',
    'SELECT * FROM auditor.tenants',
    `INSERT INTO auditor.tenants VALUES ('${login}', 'globex')`,
    `UPDATE auditor.decide_v_runs SET detail = 'x'`,
    'DELETE FROM auditor.audit_v_receipts',
    `INSERT INTO auditor.audit_v_keys (kid, jwk) VALUES ('k', '{}')`,
    'SET ROLE rok_audit_owner',
    'SET SESSION AUTHORIZATION rok_read',
    `SELECT audit.ack('00000000-0000-0000-0000-000000000000', 'logs', 'x', 'done', '{}')`,
    'SET session_replication_role = replica',
    'CREATE TABLE auditor.planted (a int)',
    'CREATE TEMPORARY TABLE planted (a int)',
  ])('is refused: %s', async (statement) => {
    await expect(auditor.query(statement)).rejects.toMatchObject({ code: '42501' });
  });

  it('does not see more as the role it is a member of', async () => {
    const rows = await auditor.transaction(async (sql) => {
      await sql.query('SET LOCAL ROLE rok_auditor');
      return sql.query<{ tenant: string }>('SELECT DISTINCT tenant FROM auditor.decide_v_runs');
    });
    expect(rows).toEqual([{ tenant: 'acme' }]);
  });

  it('without a tenant sees nothing, and another tenant only from when it is given it', async () => {
    const seen = async () =>
      (await auditor.query<{ tenant: string }>('SELECT tenant FROM auditor.decide_v_runs ORDER BY 1')).map(
        (row) => row.tenant,
      );
    await rig.stack.admin.query(`UPDATE auditor.tenants SET tenant = 'nobody' WHERE login = $1`, [login]);
    expect(await seen()).toEqual([]);
    await rig.stack.admin.query(`UPDATE auditor.tenants SET tenant = 'acme' WHERE login = $1`, [login]);
    await rig.stack.admin.query(`INSERT INTO auditor.tenants VALUES ($1, 'globex')`, [login]);
    expect(await seen()).toEqual(['acme', 'globex']);
    await rig.stack.admin.query(`DELETE FROM auditor.tenants WHERE login = $1 AND tenant = 'globex'`, [login]);
  });
});

describe('through the command line', () => {
  const run = (...args: readonly string[]) => rok(args, env);
  it('lists, shows, exports and verifies what is of its tenant', async () => {
    const list = await run('run', 'list', '--json');
    expect(
      list.out
        .trim()
        .split('\n')
        .map((line) => (JSON.parse(line) as { run: string }).run),
    ).toEqual([mine]);
    expect(await run('run', 'show', mine)).toMatchObject({ code: 0, out: saying('COMPLETE') });
    const out = join(rig.folder, 'mine.json');
    expect(await run('export', mine, '--out', out)).toMatchObject({ code: 0 });
    expect(await run('verify', out, '--jwks', rig.keys.receiptKeySet)).toMatchObject({ code: 0 });
    expect(await run('verify', mine, '--jwks', rig.keys.receiptKeySet)).toMatchObject({ code: 0 });
    const heads = join(rig.folder, 'heads.jsonl');
    expect(await run('export', '--heads', '--out', heads)).toMatchObject({ code: 0 });
    expect(await run('verify', '--heads', heads, '--jwks', rig.keys.receiptKeySet)).toMatchObject({
      code: 0,
      out: 'verified: chain acme, 1 receipts, held against 1 outside heads\n',
    });
  });

  it('finds nothing of another tenant', async () => {
    const out = join(rig.folder, 'theirs.json');
    expect(await run('run', 'show', theirs)).toMatchObject({ code: 3 });
    expect(await run('export', theirs, '--out', out)).toMatchObject({ code: 3 });
    expect(await run('run', 'list', '--tenant', 'globex', '--json')).toMatchObject({ code: 0, out: '' });
    expect(await run('export', '--chain', 'globex', '--out', out)).toMatchObject({ code: 3 });
    expect(await run('export', '--chain', 'nobody', '--out', out)).toMatchObject({ code: 3 });
    await expect(readFile(out, 'utf8')).rejects.toMatchObject({ code: 'ENOENT' });
  });

  it.each(['approve', 'reject', 'pause', 'resume', 'cancel', 'kill'] as const)('as an actor may not %s', (verb) => {
    const person = { issuer: 'local', subject: 'dana', folded: 'dana' };
    const dana = { name: 'local:dana', roles: ['auditor'], issuer: 'local', person };
    expect(refusal(dana, { verb, requester: 'another', authority: 'finance' })).toMatchObject({
      code: 'actor_refused',
    });
  });
});
