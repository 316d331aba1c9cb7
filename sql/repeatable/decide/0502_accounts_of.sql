-- Which accounts a run takes from, made on first use of their window, by database time.
SET ROLE rok_decide_owner;

CREATE OR REPLACE FUNCTION decide.clock() RETURNS timestamptz LANGUAGE sql VOLATILE AS 'SELECT clock_timestamp()';
COMMENT ON FUNCTION decide.clock() IS 'The time that windows and rates go by, in one place; for functions of this schema.';

CREATE OR REPLACE FUNCTION decide.window_start(p_window text, p_now timestamptz) RETURNS timestamptz LANGUAGE sql STABLE AS $$
  SELECT CASE p_window
    WHEN 'day' THEN date_trunc('day', p_now, 'UTC')
    WHEN 'month' THEN date_trunc('month', p_now, 'UTC')
    ELSE 'epoch'::timestamptz
  END
$$;
COMMENT ON FUNCTION decide.window_start(text, timestamptz) IS 'Start of the window that holds p_now, in UTC; for accounts_of.';

-- LATERAL with OFFSET 0: a look-up per subject, whatever the planner thinks of the table's size, so that a step's cost does
-- not grow with the number of runs, each of which has budgets of its own.
CREATE OR REPLACE FUNCTION decide.budgets_of(run decide.runs) RETURNS SETOF decide.budgets LANGUAGE sql STABLE AS $$
  SELECT b.* FROM (
    SELECT 'run' AS scope, (run).run_id::text AS subject
    UNION ALL SELECT 'agent', (run).tenant || '/' || (run).agent
    UNION ALL SELECT 'tenant', (run).tenant
    UNION ALL SELECT 'all', ''
    UNION ALL SELECT DISTINCT 'label', (run).tenant || '/' || l.key || '=' || l.value FROM jsonb_each_text((run).labels) l
  ) k
  CROSS JOIN LATERAL (SELECT * FROM decide.budgets b WHERE b.scope = k.scope AND b.subject = k.subject OFFSET 0) b
$$;
COMMENT ON FUNCTION decide.budgets_of(decide.runs) IS 'Every budget that this run falls under; for accounts_of.';

CREATE OR REPLACE FUNCTION decide.accounts_of(p_run uuid) RETURNS bigint[]
LANGUAGE plpgsql SECURITY DEFINER SET search_path = decide, pg_temp AS $$
DECLARE
  run decide.runs;
  now_at timestamptz := decide.clock();
  ids bigint[];
  missing boolean;
BEGIN
  SELECT * INTO STRICT run FROM decide.runs r WHERE r.run_id = p_run;
  FOR round IN 1..2 LOOP
    SELECT array_agg(a.account_id), coalesce(bool_or(a.account_id IS NULL), false) INTO ids, missing
    FROM decide.budgets_of(run) b
    LEFT JOIN LATERAL (SELECT a.account_id FROM decide.accounts a WHERE a.scope = b.scope AND a.subject = b.subject
      AND a.unit = b.unit AND a.time_window = b.time_window
      AND a.window_start = decide.window_start(b.time_window, now_at) OFFSET 0) a ON true;
    EXIT WHEN NOT missing;
    -- A statement that changes many budgets locks them in no order: see decide.change_budgets.
    PERFORM pg_advisory_xact_lock_shared(hashtext('decide.budgets'));
    -- Two runs may open a window at once: the second finds the first's row. The budgets are locked, so that a cap which is
    -- changed meanwhile is either read here or finds the account.
    WITH fresh AS (
      SELECT b.* FROM (SELECT * FROM decide.budgets_of(run) m ORDER BY m.scope, m.subject, m.unit, m.time_window) m
      CROSS JOIN LATERAL (SELECT * FROM decide.budgets b WHERE b.scope = m.scope AND b.subject = m.subject
        AND b.unit = m.unit AND b.time_window = m.time_window FOR SHARE) b
    ), made AS (
      INSERT INTO decide.accounts (scope, subject, unit, time_window, window_start, on_breach, cap, ceiling)
      SELECT b.scope, b.subject, b.unit, b.time_window, decide.window_start(b.time_window, now_at), b.on_breach, b.cap, b.cap
      FROM fresh b ORDER BY b.scope, b.subject, b.unit, b.time_window
      ON CONFLICT DO NOTHING
      RETURNING account_id, cap
    )
    INSERT INTO decide.journal (account_id, op, cap) SELECT m.account_id, 'open', m.cap FROM made m;
  END LOOP;
  RETURN coalesce(ids, '{}');
END $$;
COMMENT ON FUNCTION decide.accounts_of(uuid) IS
  'Called by settle_and_reserve and by the deciders for a snapshot: ids of the accounts that this run takes from now.';
GRANT EXECUTE ON FUNCTION decide.accounts_of(uuid) TO rok_decide;

RESET ROLE;
