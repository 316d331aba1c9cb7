-- Sets aside the upper bound of one attempt on every account of its run, or on none.
SET ROLE rok_decide_owner;

-- p_reserve: {step, attempt, turn, action_digest, not_after, enforced, price_key, base_micros, per_token_num,
--             per_token_den, input_tokens, asked_output, floor}; money in micro-USD, per_token in micro-USD a token.
-- Answer: {ok, output_tokens, micros, tokens, warnings, breaches}
CREATE FUNCTION decide.reserve(p_run uuid, p_reserve jsonb, mine bigint[]) RETURNS jsonb LANGUAGE plpgsql AS $$
DECLARE
  ask record;
  asked bigint;
  output bigint;
  found jsonb;
  bound_micros bigint;
  bound_tokens bigint;
  warned jsonb;
BEGIN
  SELECT * INTO ask FROM jsonb_to_record(p_reserve) AS r(step integer, attempt integer, turn integer, action_digest text,
    not_after timestamptz, enforced boolean, price_key text, base_micros bigint, per_token_num numeric,
    per_token_den numeric, input_tokens bigint, asked_output bigint, floor bigint);
  asked := coalesce(ask.asked_output, 0);

  -- The tightest account says how much output is granted; less than the floor is not worth having. `over` counts: what was
  -- taken above the cap is not there for anybody else.
  SELECT least(asked, min(b.afford)),
    coalesce(jsonb_agg(jsonb_build_object('scope', b.scope, 'subject', b.subject, 'unit', b.unit, 'window', b.time_window,
      'on_breach', b.on_breach, 'cap', b.cap::text, 'spent', b.spent::text, 'reserved', b.reserved::text,
      'over', b.over::text) ORDER BY b.rank, b.account_id) FILTER (WHERE b.afford < least(coalesce(ask.floor, 0), asked)), '[]')
  INTO output, found
  FROM (
    SELECT a.*, CASE a.unit
      WHEN 'usd_micros' THEN
        CASE WHEN free < ask.base_micros THEN -1
             WHEN ask.per_token_num = 0 THEN asked
             -- div is exact, a quotient of numerics is not; least first, because what is affordable may be beyond a bigint.
             ELSE least(asked, div((free - ask.base_micros) * ask.per_token_den, ask.per_token_num)) END
      WHEN 'tokens' THEN least(asked, greatest(free - ask.input_tokens, -1))
      ELSE CASE WHEN free >= 1 THEN asked ELSE -1 END
    END::bigint AS afford
    FROM decide.accounts a CROSS JOIN LATERAL (SELECT a.cap::numeric - a.spent - a.reserved - a.over AS free) f
    WHERE a.account_id = ANY (mine)) b;
  IF ask.enforced AND found <> '[]' THEN RETURN jsonb_build_object('ok', false, 'breaches', found); END IF;
  -- Not enforced: the full bound is recorded, and what does not fit goes to `over` when it settles.
  IF NOT ask.enforced OR output IS NULL THEN output := asked; END IF;
  bound_micros := ask.base_micros
    + CASE WHEN ask.per_token_num = 0 THEN 0 ELSE div(output * ask.per_token_num + ask.per_token_den - 1, ask.per_token_den) END;
  bound_tokens := ask.input_tokens + output;

  WITH line AS (
    SELECT a.account_id, a.scope, a.subject, a.unit, n.amount,
      -- Once for each account, which is one window's.
      a.warned_at IS NULL AND a.cap > 0 AND (a.spent::numeric + a.reserved + a.over + n.amount) * 5 >= a.cap::numeric * 4 AS warns
    FROM decide.accounts a
    CROSS JOIN LATERAL (SELECT CASE a.unit WHEN 'usd_micros' THEN bound_micros WHEN 'tokens' THEN bound_tokens ELSE 1 END AS whole) w
    CROSS JOIN LATERAL (SELECT CASE WHEN ask.enforced THEN w.whole
      ELSE greatest(0, least(w.whole, a.cap - a.spent - a.reserved)) END AS amount) n
    WHERE a.account_id = ANY (mine)
  ), made AS (
    INSERT INTO decide.reservations
      (run_id, step, attempt, turn, state, action_digest, not_after, price_key, bound_tokens, bound_micros)
    VALUES (p_run, ask.step, ask.attempt, ask.turn, 'issued', ask.action_digest, ask.not_after, ask.price_key,
      bound_tokens, bound_micros)
  ), kept AS (
    INSERT INTO decide.reservation_lines (run_id, step, attempt, account_id, amount)
    SELECT p_run, ask.step, ask.attempt, l.account_id, l.amount FROM line l
  ), entries AS (
    INSERT INTO decide.journal (account_id, run_id, step, attempt, op, reserved)
    SELECT l.account_id, p_run, ask.step, ask.attempt, 'reserve', l.amount FROM line l
  ), moved AS (
    UPDATE decide.accounts a SET reserved = a.reserved + l.amount,
      warned_at = CASE WHEN l.warns THEN clock_timestamp() ELSE a.warned_at END
    FROM line l WHERE a.account_id = l.account_id
  )
  SELECT coalesce(jsonb_agg(jsonb_build_object('scope', l.scope, 'subject', l.subject, 'unit', l.unit)
    ORDER BY l.account_id) FILTER (WHERE l.warns), '[]') INTO warned FROM line l;
  RETURN jsonb_build_object('ok', true, 'output_tokens', CASE WHEN ask.asked_output IS NULL THEN NULL ELSE output END,
    'micros', bound_micros::text, 'tokens', bound_tokens, 'warnings', warned, 'breaches', found);
END $$;
COMMENT ON FUNCTION decide.reserve(uuid, jsonb, bigint[]) IS 'Called by settle_and_reserve only, which holds the locks.';

RESET ROLE;
