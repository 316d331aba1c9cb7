-- Which accounts a run takes from, made on first use of their window, by database time.
SET ROLE rok_decide_owner;

CREATE FUNCTION decide.window_start(p_window text, p_now timestamptz) RETURNS timestamptz LANGUAGE sql STABLE AS $$
  SELECT CASE p_window
    WHEN 'day' THEN date_trunc('day', p_now, 'UTC')
    WHEN 'month' THEN date_trunc('month', p_now, 'UTC')
    ELSE 'epoch'::timestamptz
  END
$$;
COMMENT ON FUNCTION decide.window_start(text, timestamptz) IS 'Start of the window that holds p_now, in UTC; for accounts_of.';

CREATE FUNCTION decide.budgets_of(run decide.runs) RETURNS SETOF decide.budgets LANGUAGE sql STABLE AS $$
  SELECT b.* FROM decide.budgets b
  WHERE (b.scope = 'run' AND b.subject = (run).run_id::text)
     OR (b.scope = 'agent' AND b.subject = (run).tenant || '/' || (run).agent)
     OR (b.scope = 'tenant' AND b.subject = (run).tenant)
     OR (b.scope = 'all' AND b.subject = '')
     OR (b.scope = 'label' AND b.subject IN
          (SELECT (run).tenant || '/' || l.key || '=' || l.value FROM jsonb_each_text((run).labels) l))
$$;
COMMENT ON FUNCTION decide.budgets_of(decide.runs) IS 'Every budget that this run falls under; for accounts_of.';

CREATE FUNCTION decide.accounts_of(p_run uuid) RETURNS bigint[]
LANGUAGE plpgsql SECURITY DEFINER SET search_path = decide, pg_temp AS $$
DECLARE
  run decide.runs;
  now_at timestamptz := clock_timestamp();
  ids bigint[];
  missing boolean;
BEGIN
  SELECT * INTO STRICT run FROM decide.runs r WHERE r.run_id = p_run;
  FOR round IN 1..2 LOOP
    SELECT array_agg(a.account_id), coalesce(bool_or(a.account_id IS NULL), false) INTO ids, missing
    FROM decide.budgets_of(run) b
    LEFT JOIN decide.accounts a ON a.scope = b.scope AND a.subject = b.subject AND a.unit = b.unit
      AND a.time_window = b.time_window AND a.window_start = decide.window_start(b.time_window, now_at);
    EXIT WHEN NOT missing;
    -- Two runs may open a window at once: the second finds the first's row.
    INSERT INTO decide.accounts (scope, subject, unit, time_window, window_start, on_breach, cap, ceiling)
    SELECT b.scope, b.subject, b.unit, b.time_window, decide.window_start(b.time_window, now_at), b.on_breach, b.cap, b.cap
    FROM decide.budgets_of(run) b
    ORDER BY b.scope, b.subject, b.unit, b.time_window
    ON CONFLICT DO NOTHING;
  END LOOP;
  RETURN coalesce(ids, '{}');
END $$;
COMMENT ON FUNCTION decide.accounts_of(uuid) IS
  'Called by settle_and_reserve and by the deciders for a snapshot: ids of the accounts that this run takes from now.';
GRANT EXECUTE ON FUNCTION decide.accounts_of(uuid) TO rok_decide;

RESET ROLE;
