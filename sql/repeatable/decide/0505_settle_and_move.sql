-- Functions that belong to `migrations/decide/0505_settle_and_move.sql`.
SET ROLE rok_decide_owner;

-- p_settlements: [{run, step, attempt, state, micros, tokens, calls, output, cost_usd}], `run` where p_run is NULL; `output` is
-- the part of `tokens` that was the answer, or NULL. What cannot be counted (missing, negative, a fraction, beyond all sense)
-- is a forfeit that is marked as taken above its bound, never an exception: a run that could not settle could not end. What
-- was closed before, or is not known, has no effect, and the count says so.
-- p_taken: accounts that are reserved from next, locked in the same pass, in the one order that everybody keeps.
CREATE OR REPLACE FUNCTION decide.settle(p_run uuid, p_settlements jsonb, p_taken bigint[], OUT movements decide.movement[], OUT closed integer)
LANGUAGE plpgsql AS $$
BEGIN
  PERFORM FROM decide.accounts a
  WHERE a.account_id = ANY (p_taken || ARRAY(
    SELECT unnest(w.accounts) FROM jsonb_to_recordset(p_settlements) AS s(run uuid, step integer, attempt integer)
    CROSS JOIN LATERAL (SELECT w.accounts FROM decide.reservations w
      WHERE w.run_id = coalesce(p_run, s.run) AND w.step = s.step AND w.attempt = s.attempt OFFSET 0) w))
  ORDER BY a.rank, a.account_id FOR NO KEY UPDATE;

  WITH item AS MATERIALIZED (
    SELECT s.*, w.place, decide.settled(s.state, s.micros, s.tokens, s.calls, s.output, s.cost_usd) AS ends
    FROM jsonb_to_recordset(p_settlements) AS s(run uuid, step integer, attempt integer, state text, micros numeric,
      tokens numeric, calls numeric, output numeric, cost_usd numeric)
    CROSS JOIN LATERAL (SELECT w.ctid AS place FROM decide.reservations w
      WHERE w.run_id = coalesce(p_run, s.run) AND w.step = s.step AND w.attempt = s.attempt OFFSET 0) w
  ), closing AS (
    UPDATE decide.reservations w SET
      state = CASE i.ends WHEN 'unsound' THEN 'forfeited' ELSE i.ends END,
      closed_at = clock_timestamp(),
      spent_micros = least(decide.charged(i.ends, w.bound_micros, i.micros), w.bound_micros),
      over_micros = decide.over(decide.charged(i.ends, w.bound_micros, i.micros), w.bound_micros),
      tokens = decide.charged(CASE i.ends WHEN 'unsound' THEN 'forfeited' ELSE i.ends END, w.bound_tokens, i.tokens),
      output_tokens = CASE i.ends WHEN 'settled' THEN i.output END,
      cost_usd = CASE i.ends WHEN 'settled' THEN i.cost_usd END
    FROM item i
    WHERE w.ctid = i.place
      AND ((w.state = 'issued' AND i.state = 'released') OR (w.state = 'redeemed' AND i.state IN ('settled', 'forfeited')))
    RETURNING w.run_id, w.step, w.attempt, w.bound_micros, w.bound_tokens, w.accounts, w.amounts, i.ends, i.micros, i.tokens,
      i.calls
  ), line AS MATERIALIZED (
    SELECT c.run_id, c.step, c.attempt, c.ends, l.account_id, l.amount, decide.charged(c.ends,
        decide.in_unit(a.unit, c.bound_micros, c.bound_tokens, 1), decide.in_unit(a.unit, c.micros, c.tokens, c.calls)) AS charged
    FROM closing c CROSS JOIN LATERAL unnest(c.accounts, c.amounts) AS l (account_id, amount)
    CROSS JOIN LATERAL (SELECT a.unit FROM decide.accounts a WHERE a.account_id = l.account_id OFFSET 0) a
  )
  SELECT (SELECT count(*) FROM closing), array_agg(ROW(l.account_id, l.run_id, l.step, l.attempt,
      CASE l.ends WHEN 'settled' THEN 'settle' WHEN 'released' THEN 'release' ELSE 'forfeit' END,
      -l.amount, least(l.charged, l.amount), decide.over(l.charged, l.amount))::decide.movement)
  INTO closed, movements FROM line l;
END $$;
COMMENT ON FUNCTION decide.settle(uuid, jsonb, bigint[]) IS
  'Locks the accounts of what settles and of what is taken next, and closes those warrants; the balances move by what it gives.';

-- Journal and balances, by one list: worked out first and written once. p_in_full: nothing of the balances moves where any
-- account that is reserved from would be over its cap or worth a warning.
CREATE OR REPLACE FUNCTION decide.move(p_movements decide.movement[], p_in_full boolean, OUT in_full boolean, OUT warnings jsonb)
LANGUAGE plpgsql AS $$
BEGIN
  WITH entries AS (
    -- In the order of what happened.
    INSERT INTO decide.journal (account_id, run_id, step, attempt, op, reserved, spent, over)
    SELECT m.account_id, m.run_id, m.step, m.attempt, m.op, m.reserved, m.spent, m.over FROM unnest(p_movements) m
  ), sums AS MATERIALIZED (
    SELECT a.place, a.account_id, a.scope, a.subject, a.unit, a.cap, a.ceiling, a.warned_at, m.settles, m.takes,
      a.spent + m.spent AS spent, a.reserved + m.reserved AS reserved, a.over + m.over AS over
    FROM (SELECT m.account_id, bool_or(m.op <> 'reserve') AS settles, bool_or(m.op = 'reserve') AS takes,
        sum(m.spent)::bigint AS spent, sum(m.reserved)::bigint AS reserved, sum(m.over)::bigint AS over
      FROM unnest(p_movements) m GROUP BY m.account_id) m
    CROSS JOIN LATERAL (SELECT a.*, a.ctid AS place FROM decide.accounts a WHERE a.account_id = m.account_id OFFSET 0) a
  ), after AS MATERIALIZED (
    SELECT s.*, s.takes AND decide.warns(s.cap, s.spent, s.reserved, s.over, s.warned_at) AS warns,
      NOT s.takes OR decide.fits(s.cap, s.spent, s.reserved, s.over) AS fits
    FROM sums s
  ), whole AS MATERIALIZED (
    SELECT coalesce(bool_and(n.fits AND NOT n.warns), true) AS in_full,
      coalesce(jsonb_agg(jsonb_build_object('scope', n.scope, 'subject', n.subject, 'unit', n.unit) ORDER BY n.account_id)
        FILTER (WHERE n.warns), '[]') AS warnings
    FROM after n
  ), moved AS (
    UPDATE decide.accounts a SET
      spent = n.spent,
      reserved = n.reserved,
      over = n.over,
      -- What is reserved here is within the cap: a ceiling above it only ever falls.
      ceiling = CASE WHEN n.settles THEN greatest(n.cap, n.spent + n.reserved) ELSE n.ceiling END,
      warned_at = CASE WHEN n.warns THEN clock_timestamp() ELSE n.warned_at END
    FROM whole w CROSS JOIN after n WHERE a.ctid = n.place AND (w.in_full OR NOT p_in_full)
  )
  SELECT w.in_full, w.warnings INTO in_full, warnings FROM whole w;
END $$;
COMMENT ON FUNCTION decide.move(decide.movement[], boolean) IS
  'The only writer of balances: whether all that is reserved fits without a warning, and which accounts warn.';

RESET ROLE;
