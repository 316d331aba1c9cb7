-- When something happened the database says: no login may write the time of what it enters or ends. A column that the clock
-- fills in is left out of every right to insert, of every table there is by now; what an update stamps, its trigger stamps.
DO $$
DECLARE
  v_right record;
BEGIN
  FOR v_right IN
    SELECT c.oid::regclass AS relation, l.rolname AS login,
           string_agg(quote_ident(a.attname), ', ') FILTER (WHERE NOT t.stamped) AS others
    FROM pg_class c
    JOIN pg_namespace n ON n.oid = c.relnamespace AND n.nspname IN ('decide', 'execute', 'observe', 'audit')
    CROSS JOIN unnest('{rok_decide,rok_execute,rok_observe,rok_audit,rok_read}'::name[]) AS l (rolname)
    JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
    LEFT JOIN pg_attrdef d ON (d.adrelid, d.adnum) = (a.attrelid, a.attnum)
    CROSS JOIN LATERAL (SELECT coalesce(pg_get_expr(d.adbin, d.adrelid) ~ 'clock_timestamp', false)
      OR (c.oid, a.attname::text) IN (('decide.runs'::regclass, 'latched_at'), ('decide.runs'::regclass, 'ended_at'),
        ('decide.holds'::regclass, 'resolved_at'), ('decide.halts'::regclass, 'lifted_at')) AS stamped) t
    WHERE c.relkind = 'r' AND has_table_privilege(l.rolname, c.oid, 'INSERT')
      -- What its login may delete again is its list of things to do, and no evidence.
      AND NOT has_table_privilege(l.rolname, c.oid, 'DELETE')
    GROUP BY c.oid, l.rolname HAVING bool_or(t.stamped)
  LOOP
    EXECUTE format('REVOKE INSERT ON %s FROM %I', v_right.relation, v_right.login);
    EXECUTE format('GRANT INSERT (%s) ON %s TO %I', v_right.others, v_right.relation, v_right.login);
  END LOOP;
END $$;
