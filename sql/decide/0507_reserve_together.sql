-- Steps of many runs at once, each granted in full: what one step needs of a transaction, of each statement and of a shared
-- account's lock is then needed once for all of them.
SET ROLE rok_decide_owner;

-- p_settlements: [{run, step, attempt, state, micros, tokens, calls, output, cost_usd}], p_asks: [{run, step, attempt, turn,
-- action_digest, not_after, price_key, base_micros, per_token_num, per_token_den, input_tokens, asked_output, micros, tokens}],
-- enforced all of them, one to a run; both as in settle_and_reserve. `micros` and `tokens` are the full grant's bound.
-- What is over is settled first; then all that is asked for fits into every account at once, below the cap and below the warning,
-- so each by itself would have been granted in full in any order. Where it is not so, nothing is done (RK001), and each has to
-- ask settle_and_reserve by itself.
CREATE FUNCTION decide.reserve_together(p_settlements jsonb, p_asks jsonb) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = decide, pg_temp
SET enable_seqscan = off SET enable_bitmapscan = off SET enable_memoize = off SET plan_cache_mode = force_generic_plan
-- A group does not wait for long for somebody who holds one run's accounts: then each waits by itself.
SET lock_timeout = '250ms' AS $$
DECLARE
  places integer[];
  mine bigint[];
  touched bigint[];
  fits boolean;
  now_at timestamptz := decide.clock();
BEGIN
  -- As decide.accounts_of, for all of them; a window that nobody has opened yet is opened there.
  FOR round IN 1..2 LOOP
    SELECT coalesce(array_agg(k.place), '{}'), coalesce(array_agg(a.account_id), '{}') INTO places, mine
    FROM ROWS FROM (jsonb_to_recordset(p_asks) AS (run uuid)) WITH ORDINALITY AS k (run, place)
    CROSS JOIN LATERAL (SELECT r FROM decide.runs r WHERE r.run_id = k.run OFFSET 0) r
    CROSS JOIN LATERAL decide.budgets_of(r.r) b
    LEFT JOIN LATERAL (SELECT a.account_id FROM decide.accounts a WHERE a.scope = b.scope AND a.subject = b.subject
      AND a.unit = b.unit AND a.time_window = b.time_window
      AND a.window_start = decide.window_start(b.time_window, now_at) OFFSET 0) a ON true;
    EXIT WHEN array_position(mine, NULL) IS NULL;
    PERFORM decide.accounts_of(k.run) FROM jsonb_to_recordset(p_asks) AS k(run uuid);
  END LOOP;
  touched := mine || ARRAY(
    SELECT unnest(w.accounts) FROM jsonb_to_recordset(p_settlements) AS s(run uuid, step integer, attempt integer)
    CROSS JOIN LATERAL (SELECT w.accounts FROM decide.reservations w
      WHERE w.run_id = s.run AND w.step = s.step AND w.attempt = s.attempt OFFSET 0) w);
  PERFORM FROM decide.accounts a WHERE a.account_id = ANY (touched) ORDER BY a.rank, a.account_id FOR NO KEY UPDATE;

  WITH item AS (
    SELECT DISTINCT ON (s.run, s.step, s.attempt) s.*,
      s.state = 'settled' AND NOT coalesce(decide.countable(s.micros) AND decide.countable(s.tokens)
        AND decide.countable(s.calls) AND coalesce(decide.countable(s.output) AND s.output <= s.tokens, true)
        AND s.cost_usd >= 0 AND s.cost_usd < 'Infinity', false) AS unsound
    FROM jsonb_to_recordset(p_settlements) AS s(run uuid, step integer, attempt integer, state text, micros numeric,
      tokens numeric, calls numeric, output numeric, cost_usd numeric)
    ORDER BY s.run, s.step, s.attempt
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
    FROM (SELECT item.*, o.place FROM item CROSS JOIN LATERAL (SELECT o.ctid AS place FROM decide.reservations o
      WHERE o.run_id = item.run AND o.step = item.step AND o.attempt = item.attempt OFFSET 0) o) i
    WHERE w.ctid = i.place
      AND ((w.state = 'issued' AND i.state = 'released') OR (w.state = 'redeemed' AND i.state IN ('settled', 'forfeited')))
    RETURNING w.run_id, w.step, w.attempt, w.state, w.bound_micros, w.bound_tokens, w.accounts, w.amounts, i.unsound, i.micros,
      i.tokens, i.calls
  ), held AS MATERIALIZED (
    SELECT a.* FROM decide.accounts a WHERE a.account_id = ANY (touched)
  ), line AS (
    SELECT l.account_id, c.run_id, c.step, c.attempt, c.state, l.amount, CASE
        WHEN c.state = 'released' THEN 0
        WHEN c.state = 'forfeited' THEN c.unsound::integer
          + CASE a.unit WHEN 'usd_micros' THEN c.bound_micros WHEN 'tokens' THEN c.bound_tokens ELSE 1 END
        ELSE CASE a.unit WHEN 'usd_micros' THEN c.micros WHEN 'tokens' THEN c.tokens ELSE c.calls END
      END::bigint AS used
    FROM closed c CROSS JOIN LATERAL unnest(c.accounts, c.amounts) AS l (account_id, amount)
    JOIN held a ON a.account_id = l.account_id
  ), ask AS MATERIALIZED (
    SELECT k.*, decide.most_micros(k.base_micros, k.per_token_num, k.per_token_den, coalesce(k.asked_output, 0)) = k.micros
      AND k.input_tokens + coalesce(k.asked_output, 0) = k.tokens AS bounded
    FROM ROWS FROM (jsonb_to_recordset(p_asks) AS (run uuid, step integer, attempt integer, turn integer, action_digest text,
      not_after timestamptz, price_key text, base_micros bigint, per_token_num numeric, per_token_den numeric,
      input_tokens bigint, asked_output bigint, micros bigint, tokens bigint)) WITH ORDINALITY AS k (run, step, attempt, turn,
      action_digest, not_after, price_key, base_micros, per_token_num, per_token_den, input_tokens, asked_output, micros,
      tokens, place)
  ), take AS MATERIALIZED (
    SELECT m.place, m.account_id, k.run, k.step, k.attempt,
      CASE a.unit WHEN 'usd_micros' THEN k.micros WHEN 'tokens' THEN k.tokens ELSE 1 END AS amount
    FROM unnest(places, mine) AS m (place, account_id) JOIN ask k ON k.place = m.place JOIN held a ON a.account_id = m.account_id
  ), now AS MATERIALIZED (
    SELECT a.account_id, a.cap, a.ceiling, a.warned_at, t.amount AS taken, d.account_id IS NOT NULL AS settles,
      a.spent + coalesce(d.spent, 0)::bigint AS spent,
      a.reserved - coalesce(d.amount, 0)::bigint AS reserved,
      a.over + coalesce(d.over, 0)::bigint AS over
    FROM held a
    LEFT JOIN (SELECT l.account_id, sum(l.amount) AS amount, sum(least(l.used, l.amount)) AS spent,
        sum(greatest(l.used - l.amount, 0)) AS over FROM line l GROUP BY l.account_id) d ON d.account_id = a.account_id
    LEFT JOIN (SELECT t.account_id, sum(t.amount)::bigint AS amount FROM take t GROUP BY t.account_id) t
      ON t.account_id = a.account_id
  ), verdict AS MATERIALIZED (
    SELECT coalesce((SELECT bool_and(k.bounded) FROM ask k), true) AND coalesce((SELECT bool_and(
        n.cap::numeric - n.spent - n.reserved - n.over - n.taken >= 0
        AND (n.warned_at IS NOT NULL OR n.cap = 0 OR (n.spent::numeric + n.reserved + n.over + n.taken) * 5 < n.cap::numeric * 4))
      FROM now n WHERE n.taken IS NOT NULL), true) AS fits
  ), made AS (
    INSERT INTO decide.reservations (run_id, step, attempt, turn, state, action_digest, not_after, price_key, bound_tokens,
      bound_micros, granted_output, accounts, amounts)
    SELECT k.run, k.step, k.attempt, k.turn, 'issued', k.action_digest, k.not_after, k.price_key, k.tokens, k.micros, k.asked_output,
      coalesce(t.accounts, '{}'), coalesce(t.amounts, '{}')
    FROM ask k LEFT JOIN (SELECT t.place, array_agg(t.account_id) AS accounts, array_agg(t.amount) AS amounts
      FROM take t GROUP BY t.place) t ON t.place = k.place
  ), entries AS (
    INSERT INTO decide.journal (account_id, run_id, step, attempt, op, reserved, spent, over)
    SELECT l.account_id, l.run_id, l.step, l.attempt,
      CASE l.state WHEN 'settled' THEN 'settle' WHEN 'released' THEN 'release' ELSE 'forfeit' END,
      -l.amount, least(l.used, l.amount), greatest(l.used - l.amount, 0)
    FROM line l
    UNION ALL
    SELECT t.account_id, t.run, t.step, t.attempt, 'reserve', t.amount, 0, 0 FROM take t
  ), moved AS (
    UPDATE decide.accounts a SET
      spent = n.spent,
      reserved = n.reserved + coalesce(n.taken, 0),
      over = n.over,
      ceiling = CASE WHEN n.settles THEN greatest(n.cap, n.spent + n.reserved) ELSE n.ceiling END
    FROM now n CROSS JOIN verdict v WHERE v.fits AND a.account_id = n.account_id
  )
  SELECT v.fits
  INTO fits FROM verdict v;

  IF NOT fits THEN
    RAISE EXCEPTION 'the ledger does not say what was foretold' USING ERRCODE = 'RK001';
  END IF;
END $$;
COMMENT ON FUNCTION decide.reserve_together(jsonb, jsonb) IS
  'Called by rok_decide with the decisions of a group of steps: as settle_and_reserve for each, where all are granted in full.';
GRANT EXECUTE ON FUNCTION decide.reserve_together(jsonb, jsonb) TO rok_decide;

RESET ROLE;
