-- The only way an attempt begins.
SET ROLE rok_decide_owner;

-- Whether this very action of the step was approved and every such approval served an attempt that succeeded.
CREATE OR REPLACE FUNCTION decide.approval_is_used_up(p_run uuid, p_step integer, p_action_digest text) RETURNS boolean
LANGUAGE sql STABLE SET search_path = decide, pg_temp AS $$
  SELECT coalesce(bool_and(EXISTS (
    SELECT FROM decide.approval_uses u
    CROSS JOIN LATERAL (SELECT t.status FROM execute.v_results t
      WHERE t.run_id = u.run_id AND t.step = u.step AND t.attempt = u.attempt OFFSET 0) t
    WHERE u.run_id = h.run_id AND u.hold = h.hold AND t.status = 'succeeded')), false)
  FROM decide.holds h
  WHERE h.run_id = p_run AND h.step = p_step AND h.action_digest = p_action_digest AND h.resolution = 'approved'
$$;
COMMENT ON FUNCTION decide.approval_is_used_up(uuid, integer, text) IS 'Asked by decide.redeem_together; called by nobody else.';

-- Redeem inserts the attempt in its own transaction; the executor's login cannot.
-- Of several runs at once, so that a statement and a commit serve them all. p_asks: [{run, step, attempt, action_digest, nonce}],
-- one to a run. A run that somebody else holds is answered `busy` instead of waited for, so that nobody waits for a stranger's
-- run; so is one that is not there. With `ok` goes the output limit that was granted: what the provider is told comes from here.
CREATE OR REPLACE FUNCTION decide.redeem_together(p_asks jsonb) RETURNS TABLE (place integer, answer text, granted_output bigint)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = decide, pg_temp
-- Its plans, those of the foreign keys too, may be made while the tables are small: a step's cost must not grow.
SET enable_seqscan = off SET enable_bitmapscan = off SET plan_cache_mode = force_generic_plan AS $$
DECLARE
  locked uuid[] := ARRAY(
    SELECT r.run_id FROM decide.runs r
    WHERE r.run_id = ANY (ARRAY(SELECT k.run FROM jsonb_to_recordset(p_asks) AS k(run uuid)))
    ORDER BY r.run_id FOR NO KEY UPDATE SKIP LOCKED);
BEGIN
  -- A statement of its own: it sees what was committed before the locks were had.
  RETURN QUERY
  WITH said AS MATERIALIZED (
    SELECT k.*, w.place AS warrant, w.granted_output, CASE
      WHEN r.run_id IS NULL THEN 'busy'
      WHEN w.place IS NULL THEN 'no_warrant'
      WHEN r.phase <> 'EXECUTING' THEN 'run_not_executing'
      -- The commit's answer may have been lost on its way to the same executor.
      WHEN w.state = 'redeemed' AND w.nonce = k.nonce THEN 'ok'
      WHEN w.state <> 'issued' THEN 'warrant_' || w.state
      WHEN w.action_digest IS DISTINCT FROM k.action_digest THEN 'digest_mismatch'
      WHEN clock_timestamp() >= w.not_after THEN 'warrant_expired'
      WHEN EXISTS (SELECT FROM decide.halts_over(r.tenant, r.agent)) THEN 'halted'
      WHEN decide.approval_is_used_up(k.run, k.step, k.action_digest) THEN 'approval_used'
      ELSE 'redeem' END AS answer
    FROM ROWS FROM (jsonb_to_recordset(p_asks) AS (run uuid, step integer, attempt integer, action_digest text, nonce uuid))
      WITH ORDINALITY AS k (run, step, attempt, action_digest, nonce, ask)
    LEFT JOIN LATERAL (SELECT r.* FROM decide.runs r WHERE r.run_id = k.run AND r.run_id = ANY (locked) OFFSET 0) r ON true
    LEFT JOIN LATERAL (SELECT w.ctid AS place, w.state, w.nonce, w.action_digest, w.not_after, w.granted_output FROM decide.reservations w
      WHERE w.run_id = r.run_id AND w.step = k.step AND w.attempt = k.attempt OFFSET 0) w ON true
  ), moved AS (
    UPDATE decide.reservations w SET state = 'redeemed', nonce = s.nonce, redeemed_at = clock_timestamp()
    FROM said s WHERE s.answer = 'redeem' AND w.ctid = s.warrant
  ), begun AS (
    INSERT INTO execute.attempts (run_id, step, attempt, action_digest, effect, nonce)
    SELECT s.run, s.step, s.attempt, s.action_digest, 'allow', s.nonce FROM said s WHERE s.answer = 'redeem'
  ), used AS (
    INSERT INTO decide.approval_uses (run_id, hold, step, attempt)
    SELECT s.run, h.hold, s.step, s.attempt FROM said s CROSS JOIN LATERAL (SELECT h.hold FROM decide.holds h
      WHERE h.run_id = s.run AND h.step = s.step AND h.action_digest = s.action_digest AND h.resolution = 'approved' OFFSET 0) h
    WHERE s.answer = 'redeem'
  )
  SELECT s.ask::integer, CASE s.answer WHEN 'redeem' THEN 'ok' ELSE s.answer END,
    CASE WHEN s.answer IN ('redeem', 'ok') THEN s.granted_output::bigint END FROM said s;
END $$;
COMMENT ON FUNCTION decide.redeem_together(jsonb) IS
  'Called by rok_execute: turns issued warrants into the one attempt that each allows, or says why not.';
GRANT EXECUTE ON FUNCTION decide.redeem_together(jsonb) TO rok_execute;

-- As redeem_together for one, waiting for its run.
CREATE OR REPLACE FUNCTION decide.redeem(p_run uuid, p_step integer, p_attempt integer, p_action_digest text, p_nonce uuid)
RETURNS TABLE (answer text, granted_output bigint)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = decide, pg_temp AS $$
BEGIN
  PERFORM FROM decide.runs r WHERE r.run_id = p_run FOR NO KEY UPDATE;
  IF NOT FOUND THEN
    RETURN QUERY SELECT 'no_warrant', NULL::bigint;
    RETURN;
  END IF;
  RETURN QUERY SELECT t.answer, t.granted_output FROM decide.redeem_together(jsonb_build_array(jsonb_build_object(
    'run', p_run, 'step', p_step, 'attempt', p_attempt, 'action_digest', p_action_digest, 'nonce', p_nonce))) t;
END $$;
COMMENT ON FUNCTION decide.redeem(uuid, integer, integer, text, uuid) IS
  'Called by rok_execute: turns an issued warrant into the one attempt it allows, or says why not.';
GRANT EXECUTE ON FUNCTION decide.redeem(uuid, integer, integer, text, uuid) TO rok_execute;

RESET ROLE;
