-- The only way an attempt begins.
SET ROLE rok_decide_owner;

-- Redeem inserts the attempt in its own transaction; the executor's login cannot.
CREATE FUNCTION decide.redeem(p_run uuid, p_step integer, p_attempt integer, p_action_digest text, p_nonce uuid)
RETURNS text LANGUAGE plpgsql SECURITY DEFINER SET search_path = decide, pg_temp
-- Its plans, those of the foreign keys too, may be made while the tables are small: a step's cost must not grow.
SET enable_seqscan = off SET enable_bitmapscan = off SET plan_cache_mode = force_generic_plan AS $$
DECLARE
  run decide.runs;
  warrant decide.reservations;
BEGIN
  SELECT * INTO run FROM decide.runs r WHERE r.run_id = p_run FOR NO KEY UPDATE;
  IF NOT FOUND THEN RETURN 'no_warrant'; END IF;
  SELECT * INTO warrant FROM decide.reservations w
    WHERE w.run_id = p_run AND w.step = p_step AND w.attempt = p_attempt FOR NO KEY UPDATE;
  IF NOT FOUND THEN RETURN 'no_warrant'; END IF;
  IF run.phase <> 'EXECUTING' THEN RETURN 'run_not_executing'; END IF;
  -- The commit's answer may have been lost on its way to the same executor.
  IF warrant.state = 'redeemed' AND warrant.nonce = p_nonce THEN RETURN 'ok'; END IF;
  IF warrant.state <> 'issued' THEN RETURN 'warrant_' || warrant.state; END IF;
  IF warrant.action_digest IS DISTINCT FROM p_action_digest THEN RETURN 'digest_mismatch'; END IF;
  IF clock_timestamp() >= warrant.not_after THEN RETURN 'warrant_expired'; END IF;
  IF decide.halted(run.tenant, run.agent) THEN RETURN 'halted'; END IF;
  UPDATE decide.reservations SET state = 'redeemed', nonce = p_nonce, redeemed_at = clock_timestamp()
    WHERE run_id = p_run AND step = p_step AND attempt = p_attempt;
  INSERT INTO execute.attempts (run_id, step, attempt, action_digest, effect, nonce)
    VALUES (p_run, p_step, p_attempt, p_action_digest, 'allow', p_nonce);
  RETURN 'ok';
END $$;
COMMENT ON FUNCTION decide.redeem(uuid, integer, integer, text, uuid) IS
  'Called by rok_execute: turns an issued warrant into the one attempt it allows, or says why not.';
GRANT EXECUTE ON FUNCTION decide.redeem(uuid, integer, integer, text, uuid) TO rok_execute;

RESET ROLE;
