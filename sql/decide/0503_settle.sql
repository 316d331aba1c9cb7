-- What is over is settled: each warrant once, on the accounts that it was reserved on, whatever window is open now.
SET ROLE rok_decide_owner;

CREATE FUNCTION decide.countable(p_amount numeric) RETURNS boolean LANGUAGE sql IMMUTABLE AS $$
  SELECT p_amount >= 0 AND p_amount <= 1000000000000000 AND p_amount = trunc(p_amount)
$$;
COMMENT ON FUNCTION decide.countable(numeric) IS
  'Whole, not negative, at most 10^15 (a billion USD): sums of such amounts stay within a bigint; for decide.settle.';

-- p_settlements: [{step, attempt, state, micros, tokens, calls, cost_usd}]. What cannot be counted (missing, negative, a
-- fraction, beyond all sense) is a forfeit that is marked as taken above its bound, never an exception: a run that could not
-- settle could not end.
CREATE FUNCTION decide.settle(p_run uuid, p_settlements jsonb) RETURNS integer LANGUAGE plpgsql AS $$
DECLARE
  settled integer;
BEGIN
  WITH item AS (
    SELECT DISTINCT ON (s.step, s.attempt) s.step, s.attempt, s.micros, s.tokens, s.calls, s.cost_usd,
      s.state = 'settled' AND NOT coalesce(decide.countable(s.micros) AND decide.countable(s.tokens)
        AND decide.countable(s.calls) AND s.cost_usd >= 0 AND s.cost_usd < 'Infinity', false) AS unsound,
      s.state
    FROM jsonb_to_recordset(p_settlements)
      AS s(step integer, attempt integer, state text, micros numeric, tokens numeric, calls numeric, cost_usd numeric)
    ORDER BY s.step, s.attempt
  ), closed AS (
    UPDATE decide.reservations w SET
      state = CASE WHEN i.unsound THEN 'forfeited' ELSE i.state END,
      closed_at = clock_timestamp(),
      spent_micros = CASE WHEN i.state = 'released' THEN 0 WHEN i.unsound OR i.state = 'forfeited' THEN w.bound_micros
        ELSE least(i.micros, w.bound_micros) END,
      over_micros = CASE WHEN i.unsound THEN 1 WHEN i.state = 'settled' THEN greatest(i.micros - w.bound_micros, 0) ELSE 0 END,
      tokens = CASE WHEN i.state = 'released' THEN 0 WHEN i.unsound OR i.state = 'forfeited' THEN w.bound_tokens
        ELSE i.tokens END,
      cost_usd = CASE WHEN i.state = 'settled' AND NOT i.unsound THEN i.cost_usd END
    -- Found one by one by its key, whatever the planner thinks: a settle must not read all that the run ever reserved.
    FROM (SELECT item.*, o.place FROM item CROSS JOIN LATERAL (SELECT o.ctid AS place FROM decide.reservations o
      WHERE o.run_id = p_run AND o.step = item.step AND o.attempt = item.attempt OFFSET 0) o) i
    WHERE w.ctid = i.place
      -- Settled before, or unknown: no effect, and said so by the count.
      AND ((w.state = 'issued' AND i.state = 'released') OR (w.state = 'redeemed' AND i.state IN ('settled', 'forfeited')))
    RETURNING w.step, w.attempt, w.state, w.bound_micros, w.bound_tokens, i.unsound, i.micros, i.tokens, i.calls
  ), line AS (
    SELECT l.account_id, c.step, c.attempt, c.state, l.amount, u.used
    FROM closed c
    CROSS JOIN LATERAL (SELECT l.account_id, l.amount FROM decide.reservation_lines l
      WHERE l.run_id = p_run AND l.step = c.step AND l.attempt = c.attempt OFFSET 0) l
    CROSS JOIN LATERAL (SELECT a.unit FROM decide.accounts a WHERE a.account_id = l.account_id OFFSET 0) a
    CROSS JOIN LATERAL (SELECT CASE
      WHEN c.state = 'released' THEN 0
      WHEN c.state = 'forfeited' THEN c.unsound::integer
        + CASE a.unit WHEN 'usd_micros' THEN c.bound_micros WHEN 'tokens' THEN c.bound_tokens ELSE 1 END
      ELSE CASE a.unit WHEN 'usd_micros' THEN c.micros WHEN 'tokens' THEN c.tokens ELSE c.calls END
    END AS used) u
  ), entries AS (
    INSERT INTO decide.journal (account_id, run_id, step, attempt, op, reserved, spent, over)
    SELECT l.account_id, p_run, l.step, l.attempt,
      CASE l.state WHEN 'settled' THEN 'settle' WHEN 'released' THEN 'release' ELSE 'forfeit' END,
      -l.amount, least(l.used, l.amount), greatest(l.used - l.amount, 0)
    FROM line l
  ), moved AS (
    UPDATE decide.accounts a SET
      reserved = a.reserved - d.amount,
      spent = a.spent + d.spent,
      over = a.over + d.over,
      ceiling = greatest(a.cap, a.spent + d.spent + a.reserved - d.amount)
    FROM (
      SELECT l.account_id, sum(l.amount) AS amount, sum(least(l.used, l.amount)) AS spent,
             sum(greatest(l.used - l.amount, 0)) AS over
      FROM line l GROUP BY l.account_id) d
    WHERE a.account_id = d.account_id
  )
  SELECT count(*) INTO settled FROM closed;
  RETURN settled;
END $$;
COMMENT ON FUNCTION decide.settle(uuid, jsonb) IS 'Called by settle_and_reserve only, which holds the locks.';

RESET ROLE;
