-- What every login of a server shares, and PostgreSQL gives to PUBLIC: a lock under a number, room for large objects and in the
-- write-ahead log, and connections. Whoever may only read would stop the others by it: the deciders take turns by such a lock.
DO $$
DECLARE
  v_function regprocedure;
BEGIN
  FOR v_function IN
    SELECT p.oid FROM pg_proc p WHERE p.pronamespace = 'pg_catalog'::regnamespace
      AND p.proname ~ '^(pg_(try_)?advisory_|lo_|lo(read|write)$|pg_logical_emit_message$)'
  LOOP
    EXECUTE format('REVOKE EXECUTE ON FUNCTION %s FROM PUBLIC', v_function);
  END LOOP;
END $$;
-- Who opens accounts and who changes budgets take turns (0502_accounts_of.sql, 0504_budget_changes.sql); so do two workflows
-- of one name (src/decide/actors/administer.ts).
GRANT EXECUTE ON FUNCTION pg_advisory_xact_lock(bigint) TO rok_decide_owner, rok_decide;
GRANT EXECUTE ON FUNCTION pg_advisory_xact_lock_shared(bigint) TO rok_decide_owner;

-- Whoever takes all connections there are must not keep the judge out: some are kept for it (`reserved_connections`,
-- docs/operations.md). PostgreSQL 15 knows no such thing.
DO $$
BEGIN
  IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'pg_use_reserved_connections') THEN
    -- With INHERIT, because the login inherits nothing otherwise, and nobody can SET ROLE before there is a connection.
    EXECUTE 'GRANT pg_use_reserved_connections TO rok_audit WITH INHERIT TRUE';
  END IF;
END $$;
-- Readers do not keep the workers out either. A tenant's auditor gets such a limit where it is made.
ALTER ROLE rok_read CONNECTION LIMIT 40;
