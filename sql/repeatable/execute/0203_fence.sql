-- Ends an attempt whose executor did not say how it went, so that nothing it says later counts.
SET ROLE rok_execute_owner;

CREATE OR REPLACE FUNCTION execute.fence(p_run uuid, p_step integer, p_attempt integer) RETURNS text
LANGUAGE plpgsql SECURITY DEFINER SET search_path = execute, pg_temp AS $$
DECLARE
  standing text;
BEGIN
  -- Waits for an executor that is just committing its own row, and then keeps that one.
  INSERT INTO execute.results (run_id, step, attempt, status, cause, digest)
    VALUES (p_run, p_step, p_attempt, 'unknown', 'fenced', execute.result_digest(
      p_run, p_step, p_attempt, 'unknown', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, 'fenced', NULL, NULL))
    ON CONFLICT (run_id, step, attempt) DO NOTHING;
  SELECT status INTO STRICT standing FROM execute.results
    WHERE run_id = p_run AND step = p_step AND attempt = p_attempt;
  RETURN standing;
END $$;
COMMENT ON FUNCTION execute.fence IS
  'Called by decide at every settle of a redeemed warrant without a result: writes `unknown`, or leaves the row that stands. Returns its status.';
GRANT EXECUTE ON FUNCTION execute.fence TO rok_decide, rok_decide_owner;

RESET ROLE;
