-- One to sixteen runs, each granted in full or none of them: as nearly every step is.
SET ROLE rok_decide_owner;

-- p_settlements: as in decide.settle, each with its run. p_asks: [{run, step, attempt, turn, action_digest, not_after, price_key,
-- base_micros, per_token_num, per_token_den, input_tokens, asked_output, micros, tokens}], one to a run, all of them enforced;
-- `micros` and `tokens` are the full grant's bound.
-- What is over is settled; then all that is asked for has to fit into every account at once, below the cap and below the
-- warning, so that each by itself would have been granted in full in any order. Where it does not, nothing is done (RK001), and
-- each has to ask settle_and_reserve.
CREATE OR REPLACE FUNCTION decide.reserve_in_full(p_settlements jsonb, p_asks jsonb) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = decide, pg_temp
SET enable_seqscan = off SET enable_bitmapscan = off SET enable_hashjoin = off SET enable_mergejoin = off
SET enable_material = off SET enable_memoize = off SET plan_cache_mode = force_generic_plan
-- It does not wait for long for somebody who holds one run's accounts: then each waits where it asks by itself.
SET lock_timeout = '250ms' AS $$
DECLARE
  taken bigint[];
  takes decide.movement[];
  settling record;
  now_at timestamptz := decide.clock();
  made integer;
BEGIN
  -- As decide.accounts_of, for all of them; a window that nobody has opened yet is opened there.
  FOR round IN 1..2 LOOP
    SELECT array_agg(a.account_id), array_agg(ROW(a.account_id, k.run, k.step, k.attempt, 'reserve',
      decide.in_unit(b.unit, k.micros, k.tokens, 1), 0, 0)::decide.movement) INTO taken, takes
    FROM jsonb_to_recordset(p_asks) AS k(run uuid, step integer, attempt integer, micros bigint, tokens bigint)
    CROSS JOIN LATERAL (SELECT r FROM decide.runs r WHERE r.run_id = k.run OFFSET 0) r
    CROSS JOIN LATERAL decide.budgets_of(r.r) b
    LEFT JOIN LATERAL (SELECT a.account_id FROM decide.accounts a WHERE a.scope = b.scope AND a.subject = b.subject
      AND a.unit = b.unit AND a.time_window = b.time_window
      AND a.window_start = decide.window_start(b.time_window, now_at) OFFSET 0) a ON true;
    EXIT WHEN array_position(taken, NULL) IS NULL;
    PERFORM decide.accounts_of(k.run) FROM jsonb_to_recordset(p_asks) AS k(run uuid);
  END LOOP;
  settling := decide.settle(NULL, p_settlements, taken);

  INSERT INTO decide.reservations (run_id, step, attempt, turn, state, action_digest, not_after, price_key, bound_tokens,
    bound_micros, granted_output, accounts, amounts)
  SELECT k.run, k.step, k.attempt, k.turn, 'issued', k.action_digest, k.not_after, k.price_key, k.tokens, k.micros, k.asked_output,
    coalesce(t.accounts, '{}'), coalesce(t.amounts, '{}')
  FROM jsonb_to_recordset(p_asks) AS k(run uuid, step integer, attempt integer, turn integer, action_digest text,
    not_after timestamptz, price_key text, base_micros bigint, per_token_num numeric, per_token_den numeric,
    input_tokens bigint, asked_output bigint, micros bigint, tokens bigint)
  CROSS JOIN LATERAL (SELECT array_agg(t.account_id) AS accounts, array_agg(t.reserved) AS amounts
    FROM unnest(takes) t WHERE t.run_id = k.run) t
  WHERE k.micros = decide.most_micros(k.base_micros, k.per_token_num, k.per_token_den, coalesce(k.asked_output, 0))
    AND k.tokens = k.input_tokens + coalesce(k.asked_output, 0);
  GET DIAGNOSTICS made = ROW_COUNT;

  IF made < jsonb_array_length(p_asks) OR NOT (decide.move(settling.movements || takes, true)).in_full THEN
    RAISE EXCEPTION 'not all of it can be granted in full' USING ERRCODE = 'RK001';
  END IF;
END $$;
COMMENT ON FUNCTION decide.reserve_in_full(jsonb, jsonb) IS
  'Called by rok_decide with the decisions that follow: as settle_and_reserve for each run, where all are granted in full.';
GRANT EXECUTE ON FUNCTION decide.reserve_in_full(jsonb, jsonb) TO rok_decide;

RESET ROLE;
