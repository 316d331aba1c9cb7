/**
 * What the catalogue says of rights and guards, and what is wrong with it. Pure reading; the expected matrix is in
 * expected-grants.ts.
 */
import type { Sql } from '../../src/domain/sql.js';
import type { Rights } from './expected-grants.js';

const logins = "'rok_decide', 'rok_execute', 'rok_observe', 'rok_audit', 'rok_read'";
const schemas = "'rok', 'decide', 'execute', 'observe', 'audit', 'shop', 'public'";
const verbs = "'SELECT', 'INSERT', 'UPDATE', 'DELETE', 'TRUNCATE', 'REFERENCES', 'TRIGGER', 'MAINTAIN'";
const columnVerbs = "'SELECT', 'INSERT', 'UPDATE', 'REFERENCES'";

/** By login and relation, in the form of expected-grants.ts. */
export async function relationRightsOf(sql: Sql): Promise<Readonly<Record<string, Rights>>> {
  const rows = await sql.query<{ login: string; relation: string; rights: string }>(
    `SELECT login, relation, rights FROM (
      SELECT l.rolname AS login, n.nspname || '.' || c.relname AS relation, trim(concat_ws(' ',
        (SELECT string_agg(v, ' ' ORDER BY at) FROM unnest(ARRAY[${verbs}]) WITH ORDINALITY AS w (v, at)
          WHERE has_table_privilege(l.oid, c.oid, v)),
        (SELECT string_agg(v || '(' || names || ')', ' ' ORDER BY v) FROM (
          -- Of inserts what may not be: a time that the database stamps, mostly.
          SELECT v, CASE v WHEN 'INSERT' THEN 'but ' || string_agg(a.attname, ',' ORDER BY a.attnum) FILTER (WHERE NOT g.granted)
            ELSE string_agg(a.attname, ',' ORDER BY a.attnum) FILTER (WHERE g.granted) END AS names
          FROM unnest(ARRAY[${columnVerbs}]) AS v, pg_attribute a
          CROSS JOIN LATERAL (SELECT has_column_privilege(l.oid, c.oid, a.attnum, v) AS granted) g
          WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped AND NOT has_table_privilege(l.oid, c.oid, v)
          GROUP BY v HAVING bool_or(g.granted)) columns))) AS rights
      FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace, pg_roles l
      WHERE n.nspname IN (${schemas}) AND c.relkind IN ('r', 'p', 'v', 'm', 'f') AND l.rolname IN (${logins})) granted
    WHERE rights <> '' ORDER BY login, relation COLLATE "C"`,
  );
  const all: Record<string, Record<string, string>> = Object.fromEntries(
    ['decide', 'execute', 'observe', 'audit', 'read'].map((login) => [`rok_${login}`, {}]),
  );
  for (const { login, relation, rights } of rows) all[login] = { ...all[login], [relation]: rights };
  return all;
}

/** Times that the database stamps and a login may write all the same; but for rows that it may delete again, which are no evidence. */
export async function writableTimesOf(sql: Sql): Promise<readonly string[]> {
  const rows = await sql.query<{ column: string }>(
    `SELECT DISTINCT l.rolname || ' ' || c.oid::regclass || '.' || a.attname AS column
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
    LEFT JOIN pg_attrdef d ON (d.adrelid, d.adnum) = (a.attrelid, a.attnum), pg_roles l
    WHERE n.nspname IN ('decide', 'execute', 'observe', 'audit') AND c.relkind = 'r' AND l.rolname IN (${logins})
      AND (pg_get_expr(d.adbin, d.adrelid) ~ 'clock_timestamp' OR a.attname ~ '^(latched|ended|resolved|lifted|redeemed|closed|judged)_at$')
      AND (has_column_privilege(l.oid, c.oid, a.attnum, 'INSERT') OR has_column_privilege(l.oid, c.oid, a.attnum, 'UPDATE'))
      AND NOT has_table_privilege(l.oid, c.oid, 'DELETE')
    ORDER BY 1`,
  );
  return rows.map(({ column }) => column);
}

export async function functionCallersOf(sql: Sql): Promise<Readonly<Record<string, readonly string[]>>> {
  const rows = await sql.query<{ name: string; callers: readonly string[] }>(
    `SELECT p.oid::regprocedure::text AS name,
      array_agg(l.rolname::text ORDER BY l.rolname) AS callers
    FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace, pg_roles l
    WHERE n.nspname IN (${schemas}) AND l.rolname IN (${logins}) AND has_function_privilege(l.oid, p.oid, 'EXECUTE')
    GROUP BY p.oid`,
  );
  return Object.fromEntries(rows.map(({ name, callers }) => [name, callers]));
}

export async function triggersOf(sql: Sql): Promise<Readonly<Record<string, readonly string[]>>> {
  const rows = await sql.query<{ relation: string; triggers: readonly string[] }>(
    `SELECT n.nspname || '.' || c.relname AS relation, array_agg(t.tgname::text ORDER BY t.tgname) AS triggers
    FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE NOT t.tgisinternal AND t.tgenabled = 'O' AND t.tgqual IS NULL AND t.tgfoid = 'rok.refuse_change()'::regprocedure
      AND ((t.tgname = 'append_only' AND t.tgtype = 27) OR (t.tgname = 'no_delete' AND t.tgtype = 11)
        OR (t.tgname = 'no_truncate' AND t.tgtype = 34))
    GROUP BY 1`,
  );
  return Object.fromEntries(rows.map(({ relation, triggers }) => [relation, triggers]));
}

export type FunctionRule = 'public-executes' | 'path-not-pinned' | 'current-user' | 'says-not-who-calls';

/** What is wrong with functions; none of it may be. */
export async function functionFindings(
  sql: Sql,
): Promise<readonly { readonly rule: FunctionRule; readonly name: string }[]> {
  return sql.query(
    `WITH f AS (
      SELECT p.oid, p.oid::regprocedure::text AS name, p.prosecdef, p.prosrc, n.nspname,
        (SELECT substr(c, 13) FROM unnest(p.proconfig) c WHERE c LIKE 'search_path=%') AS path,
        EXISTS (SELECT FROM aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) a WHERE a.grantee = 0) AS open
      FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace WHERE n.nspname IN (${schemas}))
    SELECT rule, name FROM (
      SELECT 'public-executes' AS rule, name FROM f WHERE open
      UNION ALL SELECT 'path-not-pinned', name FROM f WHERE prosecdef AND path IS DISTINCT FROM nspname || ', pg_temp'
      UNION ALL SELECT 'current-user', name FROM f
        WHERE prosecdef AND regexp_replace(prosrc, '--[^\\n]*', '', 'g') ~* '\\m(current_user|current_role)\\M|\\muser\\M(?!\\s*\\.)'
      UNION ALL SELECT 'says-not-who-calls', name FROM f WHERE prosecdef AND obj_description(oid, 'pg_proc') IS NULL) found
    ORDER BY rule, name`,
  );
}
