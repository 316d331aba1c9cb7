/**
 * The statements that make room for the repeatable files: what these files make is dropped, and the rights that they give
 * are taken back, so that what stands afterwards is what the files say now, and nothing that an earlier version said. Both
 * read the schemas from the setting `rok.schemas`.
 */

/** For the transaction: a list of names, which hold no comma. */
export const setSchemas = `SELECT set_config('rok.schemas', $1, true)`;

/**
 * Triggers, then views and functions as often as one of them can go: of two that need each other's the dependent goes
 * first. What something else needs (a CHECK its function, somebody's own view one of ours) stays, and is replaced in place.
 */
export const dropRepeatable = `DO $$
DECLARE
  schemas name[] := string_to_array(current_setting('rok.schemas'), ',');
  statement text;
  dropped boolean := true;
BEGIN
  FOREACH statement IN ARRAY ARRAY(
    SELECT format('DROP TRIGGER %I ON %s', t.tgname, c.oid::regclass)
    FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE NOT t.tgisinternal AND n.nspname = ANY (schemas)) LOOP
    EXECUTE statement;
  END LOOP;
  WHILE dropped LOOP
    dropped := false;
    FOREACH statement IN ARRAY ARRAY(
      SELECT format('DROP VIEW %s', c.oid::regclass)
      FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind = 'v' AND n.nspname = ANY (schemas)
      UNION ALL
      SELECT format('DROP ROUTINE %s', p.oid::regprocedure)
      FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace WHERE n.nspname = ANY (schemas)) LOOP
      BEGIN
        EXECUTE statement;
        dropped := true;
      EXCEPTION WHEN dependent_objects_still_exist THEN
        NULL;
      END;
    END LOOP;
  END LOOP;
END $$`;

/** Every right of somebody who does not own the object. */
export const revokeRights = `DO $$
DECLARE
  schemas name[] := string_to_array(current_setting('rok.schemas'), ',');
  statement text;
BEGIN
  FOREACH statement IN ARRAY ARRAY(
    SELECT DISTINCT format('REVOKE ALL ON %s FROM %s CASCADE', r.object,
      CASE a.grantee WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(a.grantee)) END)
    FROM (
      SELECT 'SCHEMA ' || quote_ident(n.nspname) AS object, n.nspowner AS owner, n.nspacl AS rights
      FROM pg_namespace n WHERE n.nspname = ANY (schemas)
      UNION ALL
      SELECT CASE c.relkind WHEN 'S' THEN 'SEQUENCE ' ELSE 'TABLE ' END || c.oid::regclass, c.relowner, acl.rights
      FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
      CROSS JOIN LATERAL (SELECT c.relacl AS rights
        UNION ALL SELECT t.attacl FROM pg_attribute t WHERE t.attrelid = c.oid AND t.attacl IS NOT NULL) acl
      WHERE n.nspname = ANY (schemas)
      UNION ALL
      SELECT 'ROUTINE ' || p.oid::regprocedure, p.proowner, p.proacl
      FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace WHERE n.nspname = ANY (schemas)) r
    CROSS JOIN LATERAL aclexplode(r.rights) a
    WHERE a.grantee <> r.owner) LOOP
    EXECUTE statement;
  END LOOP;
END $$`;
