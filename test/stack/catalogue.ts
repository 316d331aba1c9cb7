/**
 * A database as a list of sentences of its catalogue: every object of ROK's schemas with its text, owner, rights and comment.
 * Two databases with the same list are the same to whoever uses them. Deliberately without what only order of making gives:
 * ids, and columns that were dropped.
 */
import type { Sql } from '../../src/domain/sql.js';

const OURS = `n.nspname IN ('rok', 'decide', 'execute', 'observe', 'audit', 'auditor', 'shop')`;
const RIGHTS = (acl: string, kind: string, owner: string) =>
  `(SELECT string_agg(coalesce(nullif(a.grantee, 0)::regrole::text, 'PUBLIC') || ':' || a.privilege_type || CASE WHEN a.is_grantable THEN '*' ELSE '' END, ' '
    ORDER BY coalesce(nullif(a.grantee, 0)::regrole::text, 'PUBLIC'), a.privilege_type) FROM aclexplode(coalesce(${acl}, acldefault('${kind}', ${owner}))) a)`;

/** By kind of object; each row is one sentence. */
const QUESTIONS: Readonly<Record<string, string>> = {
  role: `SELECT concat_ws(' ', r.rolname, r.rolcanlogin, r.rolinherit, r.rolsuper, r.rolcreatedb, r.rolcreaterole, r.rolconnlimit, r.rolconfig,
      (SELECT string_agg(m.roleid::regrole::text, ' ' ORDER BY m.roleid::regrole::text) FROM pg_auth_members m WHERE m.member = r.oid))
    FROM pg_roles r WHERE r.rolname ~ '^rok_' AND r.rolname !~ '^rok_auditor_'`,
  database: `SELECT ${RIGHTS('d.datacl', 'd', 'd.datdba')} FROM pg_database d WHERE d.datname = current_database()`,
  schema: `SELECT concat_ws(' ', n.nspname, n.nspowner::regrole, ${RIGHTS('n.nspacl', 'n', 'n.nspowner')}, obj_description(n.oid, 'pg_namespace'))
    FROM pg_namespace n WHERE ${OURS} OR n.nspname = 'public'`,
  relation: `SELECT concat_ws(' ', c.relkind, n.nspname, c.relname, c.relowner::regrole, c.reloptions, c.relpersistence, c.relrowsecurity,
      ${RIGHTS('c.relacl', 'r', 'c.relowner')}, obj_description(c.oid, 'pg_class'))
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE ${OURS} AND c.relkind IN ('r', 'v', 'm', 'p', 'f')`,
  view: `SELECT concat_ws(' ', n.nspname, c.relname, pg_get_viewdef(c.oid))
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE ${OURS} AND c.relkind IN ('v', 'm')`,
  column: `SELECT concat_ws(' ', n.nspname, c.relname, row_number() OVER (PARTITION BY c.oid ORDER BY a.attnum), a.attname,
      format_type(a.atttypid, a.atttypmod), a.attnotnull, a.attidentity, a.attgenerated, a.attstorage, a.attcollation::regcollation,
      pg_get_expr(d.adbin, d.adrelid), (SELECT string_agg(x.grantee::regrole || ':' || x.privilege_type, ' '
        ORDER BY x.grantee::regrole::text, x.privilege_type) FROM aclexplode(a.attacl) x), col_description(c.oid, a.attnum))
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace JOIN pg_attribute a ON a.attrelid = c.oid
    LEFT JOIN pg_attrdef d ON (d.adrelid, d.adnum) = (a.attrelid, a.attnum)
    WHERE ${OURS} AND c.relkind IN ('r', 'v', 'm', 'p', 'f', 'c') AND a.attnum > 0 AND NOT a.attisdropped`,
  constraint: `SELECT concat_ws(' ', n.nspname, nullif(c.conrelid, 0)::regclass, nullif(c.contypid, 0)::regtype, c.conname,
      pg_get_constraintdef(c.oid), c.convalidated)
    FROM pg_constraint c JOIN pg_namespace n ON n.oid = c.connamespace WHERE ${OURS}`,
  index: `SELECT concat_ws(' ', pg_get_indexdef(i.indexrelid), i.indisvalid, i.indisprimary, i.indisclustered)
    FROM pg_index i JOIN pg_class c ON c.oid = i.indrelid JOIN pg_namespace n ON n.oid = c.relnamespace WHERE ${OURS}`,
  trigger: `SELECT concat_ws(' ', pg_get_triggerdef(t.oid), t.tgenabled, obj_description(t.oid, 'pg_trigger'))
    FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE ${OURS} AND NOT t.tgisinternal`,
  function: `SELECT concat_ws(' ', regexp_replace(pg_get_functiondef(p.oid), '\\s+', ' ', 'g'), p.proowner::regrole,
      ${RIGHTS('p.proacl', 'f', 'p.proowner')}, obj_description(p.oid, 'pg_proc'))
    FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace WHERE ${OURS}`,
  builtin: `SELECT concat_ws(' ', p.oid::regprocedure, ${RIGHTS('p.proacl', 'f', 'p.proowner')})
    FROM pg_proc p WHERE p.pronamespace = 'pg_catalog'::regnamespace AND p.proacl IS NOT NULL`,
  domain: `SELECT concat_ws(' ', n.nspname, t.typname, format_type(t.typbasetype, t.typtypmod), t.typnotnull, t.typdefault,
      t.typowner::regrole, ${RIGHTS('t.typacl', 'T', 't.typowner')})
    FROM pg_type t JOIN pg_namespace n ON n.oid = t.typnamespace WHERE ${OURS} AND t.typtype IN ('d', 'e')`,
  sequence: `SELECT concat_ws(' ', s.seqrelid::regclass, format_type(s.seqtypid, NULL), s.seqstart, s.seqincrement, s.seqmax, s.seqmin, s.seqcycle,
      c.relowner::regrole, ${RIGHTS('c.relacl', 's', 'c.relowner')})
    FROM pg_sequence s JOIN pg_class c ON c.oid = s.seqrelid JOIN pg_namespace n ON n.oid = c.relnamespace WHERE ${OURS}`,
  default: `SELECT concat_ws(' ', d.defaclrole::regrole, nullif(d.defaclnamespace, 0)::regnamespace, d.defaclobjtype, d.defaclacl)
    FROM pg_default_acl d`,
  other: `SELECT 'extension ' || extname FROM pg_extension UNION ALL SELECT 'policy ' || polname FROM pg_policy
    UNION ALL SELECT 'event trigger ' || evtname FROM pg_event_trigger UNION ALL SELECT 'publication ' || pubname FROM pg_publication
    UNION ALL SELECT 'rule ' || rulename FROM pg_rewrite WHERE rulename NOT IN ('_RETURN', 'pg_settings_u', 'pg_settings_n')`,
};

export async function catalogueOf(sql: Sql): Promise<readonly string[]> {
  const found: string[] = [];
  for (const [kind, question] of Object.entries(QUESTIONS)) {
    const rows = await sql.query<{ said: string }>(`SELECT said FROM (${question}) q (said)`);
    found.push(...rows.map(({ said }) => `${kind} ${said}`).sort());
  }
  return found;
}
