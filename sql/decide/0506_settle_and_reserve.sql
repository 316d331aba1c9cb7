-- The one place where balances move. Settles what is over and reserves what comes next, under one ordered lock pass.
SET ROLE rok_decide_owner;

-- p_settlements as for decide.settle; p_reserve as for decide.reserve, or NULL.
-- Answer: {settled, skipped, reserved: null | what decide.reserve says}
-- A session keeps its plans, and the planner takes a list in JSON for a hundred rows: it would read the whole table, or all
-- that the run ever reserved, to look up one row. Hence look-ups by index only; a step's cost must not grow.
CREATE FUNCTION decide.settle_and_reserve(p_run uuid, p_settlements jsonb, p_reserve jsonb) RETURNS jsonb
LANGUAGE plpgsql SECURITY DEFINER SET search_path = decide, pg_temp
SET enable_seqscan = off SET enable_bitmapscan = off SET enable_hashjoin = off SET enable_mergejoin = off
SET enable_material = off SET plan_cache_mode = force_generic_plan AS $$
DECLARE
  mine bigint[] := '{}';
  touched bigint[];
  settled integer := 0;
BEGIN
  IF p_reserve IS NOT NULL THEN mine := decide.accounts_of(p_run); END IF;
  touched := mine || ARRAY(
    SELECT l.account_id FROM jsonb_to_recordset(p_settlements) AS s(step integer, attempt integer)
    CROSS JOIN LATERAL (SELECT l.account_id FROM decide.reservation_lines l
      WHERE l.run_id = p_run AND l.step = s.step AND l.attempt = s.attempt OFFSET 0) l);
  PERFORM FROM decide.accounts a WHERE a.account_id = ANY (touched) ORDER BY a.rank, a.account_id FOR NO KEY UPDATE;
  IF p_settlements <> '[]' THEN settled := decide.settle(p_run, p_settlements); END IF;
  RETURN jsonb_build_object('settled', settled, 'skipped', jsonb_array_length(p_settlements) - settled,
    'reserved', CASE WHEN p_reserve IS NULL THEN NULL ELSE decide.reserve(p_run, p_reserve, mine) END);
END $$;
COMMENT ON FUNCTION decide.settle_and_reserve(uuid, jsonb, jsonb) IS
  'Called by rok_decide as the last statement but the decision row: the only writer of balances.';
GRANT EXECUTE ON FUNCTION decide.settle_and_reserve(uuid, jsonb, jsonb) TO rok_decide;

RESET ROLE;
