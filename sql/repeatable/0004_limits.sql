-- How long each login may keep the database busy, and that none of its statements is compiled: as defaults of the role, so that a session has them that asks for none (psql,
-- an old worker, somebody's script). In milliseconds; src/platform/postgres/login.ts has the same, and `rok doctor` compares.
-- Roles belong to the whole cluster: the values are those of the latest database that was migrated.
DO $$
DECLARE
  login text;
BEGIN
  -- Compiling costs more than any statement of ROK's takes, where a server's default has it on.
  FOREACH login IN ARRAY ARRAY['rok_decide', 'rok_observe', 'rok_execute', 'rok_audit', 'rok_read'] LOOP
    EXECUTE format('ALTER ROLE %I SET jit = off', login);
  END LOOP;
  -- In the way of a run: whoever holds a lock for longer than this has lost its connection.
  FOREACH login IN ARRAY ARRAY['rok_decide', 'rok_observe', 'rok_execute'] LOOP
    EXECUTE format('ALTER ROLE %I SET statement_timeout = 2000', login);
    EXECUTE format('ALTER ROLE %I SET lock_timeout = 1000', login);
    EXECUTE format('ALTER ROLE %I SET idle_in_transaction_session_timeout = 5000', login);
  END LOOP;
  -- Beside the runs. Idle in a transaction is as bad here: the judge skips what is locked.
  FOREACH login IN ARRAY ARRAY['rok_audit', 'rok_read'] LOOP
    EXECUTE format('ALTER ROLE %I SET statement_timeout = 30000', login);
    EXECUTE format('ALTER ROLE %I SET lock_timeout = 30000', login);
    EXECUTE format('ALTER ROLE %I SET idle_in_transaction_session_timeout = 5000', login);
  END LOOP;
END $$;
