-- The step of one run, granted in full: as decide.reserve_together for a group of one, without what only a group needs.
SET ROLE rok_decide_owner;

-- p_settlements as in settle_and_reserve. What is asked for comes as values and not as a list: PostgreSQL makes every part of a
-- statement ready anew each time, which for a step that comes alone is most of the work. Where it is not granted in full and
-- without a warning, nothing is done (RK001), and the step has to ask settle_and_reserve.
CREATE FUNCTION decide.reserve_alone(p_run uuid, p_settlements jsonb, p_step integer, p_attempt integer, p_turn integer,
  p_action_digest text, p_not_after timestamptz, p_price_key text, p_base_micros bigint, p_per_token_num numeric,
  p_per_token_den numeric, p_input_tokens bigint, p_asked_output bigint, p_micros bigint, p_tokens bigint) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = decide, pg_temp
SET enable_seqscan = off SET enable_bitmapscan = off SET enable_hashjoin = off SET enable_mergejoin = off
SET enable_material = off SET enable_memoize = off SET plan_cache_mode = force_generic_plan
-- It does not wait for long for somebody who holds its accounts: then it waits where it asks by itself.
SET lock_timeout = '250ms' AS $$
DECLARE
  mine bigint[];
  touched bigint[];
  fits boolean;
  now_at timestamptz := decide.clock();
BEGIN
  -- As decide.accounts_of; a window that nobody has opened yet is opened there.
  SELECT array_agg(a.account_id) INTO mine
  FROM (SELECT r FROM decide.runs r WHERE r.run_id = p_run OFFSET 0) r
  CROSS JOIN LATERAL decide.budgets_of(r.r) b
  LEFT JOIN LATERAL (SELECT a.account_id FROM decide.accounts a WHERE a.scope = b.scope AND a.subject = b.subject
    AND a.unit = b.unit AND a.time_window = b.time_window
    AND a.window_start = decide.window_start(b.time_window, now_at) OFFSET 0) a ON true;
  IF array_position(mine, NULL) IS NOT NULL THEN mine := decide.accounts_of(p_run); END IF;

  SELECT array_agg(l.account_id) INTO touched FROM (
    SELECT a.account_id FROM decide.accounts a WHERE a.account_id = ANY (mine || ARRAY(
      SELECT unnest(w.accounts) FROM jsonb_to_recordset(p_settlements) AS s(step integer, attempt integer)
      CROSS JOIN LATERAL (SELECT w.accounts FROM decide.reservations w
        WHERE w.run_id = p_run AND w.step = s.step AND w.attempt = s.attempt OFFSET 0) w))
    ORDER BY a.rank, a.account_id FOR NO KEY UPDATE) l;

  WITH item AS (
    SELECT s.*, o.place, s.state = 'settled' AND NOT coalesce(decide.countable(s.micros) AND decide.countable(s.tokens)
        AND decide.countable(s.calls) AND coalesce(decide.countable(s.output) AND s.output <= s.tokens, true)
        AND s.cost_usd >= 0 AND s.cost_usd < 'Infinity', false) AS unsound
    FROM jsonb_to_recordset(p_settlements)
      AS s(step integer, attempt integer, state text, micros numeric, tokens numeric, calls numeric, output numeric, cost_usd numeric)
    CROSS JOIN LATERAL (SELECT o.ctid AS place FROM decide.reservations o
      WHERE o.run_id = p_run AND o.step = s.step AND o.attempt = s.attempt OFFSET 0) o
  ), closed AS (
    UPDATE decide.reservations w SET
      state = CASE WHEN i.unsound THEN 'forfeited' ELSE i.state END,
      closed_at = clock_timestamp(),
      spent_micros = CASE WHEN i.state = 'released' THEN 0 WHEN i.unsound OR i.state = 'forfeited' THEN w.bound_micros
        ELSE least(i.micros, w.bound_micros) END,
      over_micros = CASE WHEN i.unsound THEN 1 WHEN i.state = 'settled' THEN greatest(i.micros - w.bound_micros, 0) ELSE 0 END,
      tokens = CASE WHEN i.state = 'released' THEN 0 WHEN i.unsound OR i.state = 'forfeited' THEN w.bound_tokens
        ELSE i.tokens END,
      output_tokens = CASE WHEN i.state = 'settled' AND NOT i.unsound THEN i.output END,
      cost_usd = CASE WHEN i.state = 'settled' AND NOT i.unsound THEN i.cost_usd END
    FROM item i
    WHERE w.ctid = i.place
      AND ((w.state = 'issued' AND i.state = 'released') OR (w.state = 'redeemed' AND i.state IN ('settled', 'forfeited')))
    RETURNING w.step, w.attempt, w.state, w.bound_micros, w.bound_tokens, w.accounts, w.amounts, i.unsound, i.micros,
      i.tokens, i.calls
  ), line AS MATERIALIZED (
    SELECT l.account_id, c.step, c.attempt, c.state, l.amount, CASE
        WHEN c.state = 'released' THEN 0
        WHEN c.state = 'forfeited' THEN c.unsound::integer
          + CASE a.unit WHEN 'usd_micros' THEN c.bound_micros WHEN 'tokens' THEN c.bound_tokens ELSE 1 END
        ELSE CASE a.unit WHEN 'usd_micros' THEN c.micros WHEN 'tokens' THEN c.tokens ELSE c.calls END
      END::bigint AS used
    FROM closed c CROSS JOIN LATERAL unnest(c.accounts, c.amounts) AS l (account_id, amount)
    CROSS JOIN LATERAL (SELECT a.unit FROM decide.accounts a WHERE a.account_id = l.account_id OFFSET 0) a
  ), now AS MATERIALIZED (
    -- The balances as they are when what is over is settled, and what is taken of them.
    SELECT a.account_id, a.cap, a.ceiling, a.warned_at, d.lines > 0 AS settles,
      a.spent + coalesce(d.spent, 0)::bigint AS spent,
      a.reserved - coalesce(d.amount, 0)::bigint AS reserved,
      a.over + coalesce(d.over, 0)::bigint AS over,
      CASE WHEN a.account_id = ANY (mine)
        THEN CASE a.unit WHEN 'usd_micros' THEN p_micros WHEN 'tokens' THEN p_tokens ELSE 1 END END AS taken
    FROM decide.accounts a CROSS JOIN LATERAL (
      SELECT count(*) AS lines, sum(l.amount) AS amount, sum(least(l.used, l.amount)) AS spent,
        sum(greatest(l.used - l.amount, 0)) AS over FROM line l WHERE l.account_id = a.account_id) d
    WHERE a.account_id = ANY (touched)
  ), verdict AS MATERIALIZED (
    SELECT p_micros = decide.most_micros(p_base_micros, p_per_token_num, p_per_token_den, coalesce(p_asked_output, 0))
      AND p_tokens = p_input_tokens + coalesce(p_asked_output, 0)
      AND coalesce(bool_and(n.taken IS NULL OR (n.cap::numeric - n.spent - n.reserved - n.over - n.taken >= 0
        AND (n.warned_at IS NOT NULL OR n.cap = 0 OR (n.spent::numeric + n.reserved + n.over + n.taken) * 5 < n.cap::numeric * 4))),
        true) AS fits
    FROM now n
  ), made AS (
    INSERT INTO decide.reservations (run_id, step, attempt, turn, state, action_digest, not_after, price_key, bound_tokens,
      bound_micros, granted_output, accounts, amounts)
    SELECT p_run, p_step, p_attempt, p_turn, 'issued', p_action_digest, p_not_after, p_price_key, p_tokens, p_micros,
      p_asked_output, coalesce(array_agg(n.account_id), '{}'), coalesce(array_agg(n.taken), '{}')
    FROM now n WHERE n.taken IS NOT NULL
  ), entries AS (
    INSERT INTO decide.journal (account_id, run_id, step, attempt, op, reserved, spent, over)
    SELECT l.account_id, p_run, l.step, l.attempt,
      CASE l.state WHEN 'settled' THEN 'settle' WHEN 'released' THEN 'release' ELSE 'forfeit' END,
      -l.amount, least(l.used, l.amount), greatest(l.used - l.amount, 0)
    FROM line l
    UNION ALL
    SELECT n.account_id, p_run, p_step, p_attempt, 'reserve', n.taken, 0, 0 FROM now n WHERE n.taken IS NOT NULL
  ), moved AS (
    UPDATE decide.accounts a SET
      spent = n.spent,
      reserved = n.reserved + coalesce(n.taken, 0),
      over = n.over,
      ceiling = CASE WHEN n.settles THEN greatest(n.cap, n.spent + n.reserved) ELSE n.ceiling END
    FROM verdict v CROSS JOIN now n WHERE v.fits AND a.account_id = n.account_id
  )
  SELECT v.fits INTO fits FROM verdict v;

  IF NOT fits THEN
    RAISE EXCEPTION 'the ledger does not say what was foretold' USING ERRCODE = 'RK001';
  END IF;
END $$;
COMMENT ON FUNCTION decide.reserve_alone(uuid, jsonb, integer, integer, integer, text, timestamptz, text, bigint, numeric, numeric,
  bigint, bigint, bigint, bigint) IS
  'Called by rok_decide with the decision of one step: as settle_and_reserve, where it is granted in full.';
GRANT EXECUTE ON FUNCTION decide.reserve_alone(uuid, jsonb, integer, integer, integer, text, timestamptz, text, bigint, numeric,
  numeric, bigint, bigint, bigint, bigint) TO rok_decide;

RESET ROLE;
