/** The logins' rights, exactly: the catalogue against the whole matrix, and every refusal that matters really tried. */
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { createStack, type Stack } from '../stack/stack.js';
import { evidenceTables, functionCallers, guardedTables, relationRights } from './expected-grants.js';
import { functionCallersOf, functionFindings, relationRightsOf, triggersOf, writableTimesOf } from './sql-rights.js';

let stack: Stack;
beforeAll(async () => {
  stack = await createStack();
});
afterAll(() => stack.drop());

describe('the rights of the logins', () => {
  it('on tables and views are these and no others', async () => {
    expect(await relationRightsOf(stack.admin)).toEqual(relationRights);
  });

  it('on functions are these and no others', async () => {
    expect(await functionCallersOf(stack.admin)).toEqual(functionCallers);
  });

  it('do not include making, owning or inheriting anything', async () => {
    const made = await stack.admin.query(
      `SELECT l.rolname FROM pg_roles l WHERE l.rolname ~ '^rok_(decide|execute|observe|audit|read)$' AND (
        l.rolsuper OR l.rolcreaterole OR l.rolcreatedb OR l.rolbypassrls OR l.rolreplication
        OR EXISTS (SELECT FROM pg_auth_members m WHERE m.member = l.oid
          -- A place to connect is no right on anything.
          AND (l.rolname, m.roleid::regrole::text) <> ('rok_audit', 'pg_use_reserved_connections'))
        OR EXISTS (SELECT FROM pg_class c WHERE c.relowner = l.oid) OR EXISTS (SELECT FROM pg_proc p WHERE p.proowner = l.oid)
        OR has_database_privilege(l.oid, current_database(), 'CREATE')
        OR has_database_privilege(l.oid, current_database(), 'TEMPORARY')
        OR EXISTS (SELECT FROM pg_namespace n WHERE n.nspname !~ '^pg_' AND has_schema_privilege(l.oid, n.oid, 'CREATE')))`,
    );
    expect(made).toEqual([]);
  });

  it('are nobody’s who is not one of them: PUBLIC cannot even enter', async () => {
    expect(
      await stack.admin.query(
        `SELECT 'database' AS what FROM pg_database, aclexplode(datacl) a WHERE datname = current_database() AND a.grantee = 0
        UNION ALL SELECT n.nspname FROM pg_namespace n, aclexplode(n.nspacl) a
          WHERE n.nspname IN ('public', 'rok', 'decide', 'execute', 'observe', 'audit', 'shop') AND a.grantee = 0`,
      ),
    ).toEqual([]);
  });

  it('when one too many is planted, the matrix shows it', async () => {
    await stack.admin.query('GRANT UPDATE (spent) ON decide.accounts TO rok_decide');
    const shown = await relationRightsOf(stack.admin);
    await stack.admin.query('REVOKE UPDATE (spent) ON decide.accounts FROM rok_decide');
    expect(shown['rok_decide']?.['decide.accounts']).toBe('SELECT UPDATE(spent)');
  });
});

describe('times', () => {
  it('are written by the database and by no login', async () => {
    expect(await writableTimesOf(stack.admin)).toEqual([]);
  });

  it('when a right to write one is planted, it is found', async () => {
    await stack.admin.query('GRANT UPDATE (ended_at), INSERT (opened_at) ON decide.runs TO rok_execute');
    const found = await writableTimesOf(stack.admin);
    await stack.admin.query('REVOKE UPDATE (ended_at), INSERT (opened_at) ON decide.runs FROM rok_execute');
    expect(found).toEqual(['rok_execute decide.runs.ended_at', 'rok_execute decide.runs.opened_at']);
  });
});

describe('functions', () => {
  it('break no law', async () => {
    expect(await functionFindings(stack.admin)).toEqual([]);
  });

  it.each([
    [
      'public-executes',
      'RETURNS int LANGUAGE sql AS $$ SELECT 1 $$',
      'GRANT EXECUTE ON FUNCTION audit.planted() TO PUBLIC',
    ],
    ['path-not-pinned', 'RETURNS int LANGUAGE sql SECURITY DEFINER AS $$ SELECT 1 $$', 'SELECT 1'],
    [
      'path-not-pinned',
      'RETURNS int LANGUAGE sql SECURITY DEFINER SET search_path = audit AS $$ SELECT 1 $$',
      'SELECT 1',
    ],
    [
      'current-user',
      'RETURNS name LANGUAGE sql SECURITY DEFINER SET search_path = audit, pg_temp AS $$ SELECT current_user $$',
      'SELECT 1',
    ],
    [
      'says-not-who-calls',
      'RETURNS int LANGUAGE sql SECURITY DEFINER SET search_path = audit, pg_temp AS $$ SELECT 1 $$',
      'COMMENT ON FUNCTION audit.planted() IS NULL',
    ],
  ])('planted, one that breaks %s is found', async (rule, definition, after) => {
    await stack.admin.transaction(async (sql) => {
      await sql.query('SET LOCAL ROLE rok_audit_owner');
      await sql.query(`CREATE FUNCTION audit.planted() ${definition}`);
      await sql.query(`COMMENT ON FUNCTION audit.planted() IS 'Planted.'`);
      await sql.query(after);
    });
    const found = await functionFindings(stack.admin);
    await stack.admin.query('DROP FUNCTION audit.planted()');
    expect(found).toEqual([{ rule, name: 'audit.planted()' }]);
  });

  it('made by an owner are not PUBLIC’s, without a word said', async () => {
    await stack.admin.transaction(async (sql) => {
      await sql.query('SET LOCAL ROLE rok_decide_owner');
      await sql.query('CREATE FUNCTION decide.planted() RETURNS int LANGUAGE sql AS $$ SELECT 1 $$');
    });
    const found = await functionFindings(stack.admin);
    await stack.admin.query('DROP FUNCTION decide.planted()');
    expect(found).toEqual([]);
  });
});

describe('evidence', () => {
  it('has both triggers on every table, and no table has them that is not listed', async () => {
    const triggers = await triggersOf(stack.admin);
    const having = (names: readonly string[]): readonly string[] =>
      Object.keys(triggers)
        .filter((table) => names.every((name) => triggers[table]?.includes(name) === true))
        .sort();
    expect(having(['append_only', 'no_truncate'])).toEqual([...evidenceTables].sort());
    expect(having(['no_delete', 'no_truncate'])).toEqual([...guardedTables].sort());
  });

  it('without its trigger, or with a disabled one, is found', async () => {
    await stack.admin.query('ALTER TABLE decide.journal DISABLE TRIGGER no_truncate');
    const disabled = await triggersOf(stack.admin);
    await stack.admin.query('ALTER TABLE decide.journal ENABLE TRIGGER no_truncate');
    expect(disabled['decide.journal']).toEqual(['append_only']);
  });

  it.each([...evidenceTables, ...guardedTables])('%s is not emptied, not even by the superuser', async (table) => {
    await expect(stack.admin.query(`TRUNCATE ${table} CASCADE`)).rejects.toMatchObject({
      code: '55000',
      message: expect.stringContaining('append-only: TRUNCATE'),
    });
  });
});
