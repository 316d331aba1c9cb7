-- A changed budget reaches the account of the window that is open. One that is over keeps the cap it had.
SET ROLE rok_decide_owner;

-- Budgets are locked in no order by a statement that changes many, and in one by a run that opens its accounts: so these two
-- kinds take turns (decide.accounts_of takes the same lock, shared).
CREATE OR REPLACE FUNCTION decide.change_budgets() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = decide, pg_temp AS $$
BEGIN
  PERFORM pg_advisory_xact_lock(hashtext('decide.budgets'));
  RETURN NULL;
END $$;
COMMENT ON FUNCTION decide.change_budgets() IS 'Trigger of decide.budgets; called by nobody.';
CREATE OR REPLACE TRIGGER change BEFORE UPDATE ON decide.budgets FOR EACH STATEMENT EXECUTE FUNCTION decide.change_budgets();

CREATE OR REPLACE FUNCTION decide.spread_budgets() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = decide, pg_temp AS $$
DECLARE
  now_at timestamptz := decide.clock();
BEGIN
  -- In the order that every settle and reserve keeps, however many budgets one statement changes.
  PERFORM FROM decide.accounts a JOIN changed b USING (scope, subject, unit, time_window)
    WHERE a.window_start = decide.window_start(a.time_window, now_at)
    ORDER BY a.rank, a.account_id FOR NO KEY UPDATE OF a;
  WITH moved AS (
    UPDATE decide.accounts a SET
      cap = b.cap,
      on_breach = b.on_breach,
      -- A lowered cap takes nothing back: what is there stays until it settles.
      ceiling = greatest(b.cap, a.spent + a.reserved)
    FROM changed b
    WHERE a.scope = b.scope AND a.subject = b.subject AND a.unit = b.unit AND a.time_window = b.time_window
      AND a.window_start = decide.window_start(a.time_window, now_at)
    RETURNING a.account_id, a.cap
  )
  INSERT INTO decide.journal (account_id, op, cap) SELECT m.account_id, 'cap', m.cap FROM moved m;
  RETURN NULL;
END $$;
COMMENT ON FUNCTION decide.spread_budgets() IS 'Trigger of decide.budgets; called by nobody.';
CREATE OR REPLACE TRIGGER spread AFTER UPDATE ON decide.budgets REFERENCING NEW TABLE AS changed
  FOR EACH STATEMENT EXECUTE FUNCTION decide.spread_budgets();

RESET ROLE;
