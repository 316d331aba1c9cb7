-- Warrants of many runs at once: one statement and one commit for all of them.
SET ROLE rok_decide_owner;

-- p_asks: [{run, step, attempt, action_digest, nonce}]. A run that somebody else holds is answered `busy` instead of waited for,
-- so that nobody waits for a stranger's run; it has to be asked for by itself.
CREATE FUNCTION decide.redeem_together(p_asks jsonb) RETURNS TABLE (place integer, answer text)
LANGUAGE sql SECURITY DEFINER SET search_path = decide, pg_temp
SET enable_seqscan = off SET enable_bitmapscan = off SET plan_cache_mode = force_generic_plan AS $$
  SELECT k.place::integer, CASE WHEN r.run_id IS NULL THEN 'busy'
    ELSE decide.redeem(k.run, k.step, k.attempt, k.action_digest, k.nonce) END
  FROM ROWS FROM (jsonb_to_recordset(p_asks) AS (run uuid, step integer, attempt integer, action_digest text, nonce uuid))
    WITH ORDINALITY AS k (run, step, attempt, action_digest, nonce, place)
  LEFT JOIN LATERAL (SELECT r.run_id FROM decide.runs r WHERE r.run_id = k.run FOR NO KEY UPDATE SKIP LOCKED) r ON true
$$;
COMMENT ON FUNCTION decide.redeem_together(jsonb) IS
  'Called by rok_execute: decide.redeem for several warrants; `busy`: another transaction has the run.';
GRANT EXECUTE ON FUNCTION decide.redeem_together(jsonb) TO rok_execute;

RESET ROLE;
