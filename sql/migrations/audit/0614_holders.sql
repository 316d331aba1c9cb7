-- Who holds a contract's lock keeps its run from the judge, and a login may set its own time limits. Past the due time the
-- judge waits for the lock itself, and the sessions that it waits for are ended.
DO $$
BEGIN
  IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'rok_ender_owner') THEN
    CREATE ROLE rok_ender_owner NOLOGIN;
  END IF;
END $$;
-- To end a session, and to see since when it holds what it holds. Never a superuser's: PostgreSQL refuses that.
GRANT pg_signal_backend, pg_read_all_stats TO rok_ender_owner;
