-- The money rules, each once. Every one is a single expression that the planner writes into the statement that asks it
-- (LANGUAGE sql, IMMUTABLE, nothing pinned), so a rule costs no call. An argument that a rule uses twice must be a column, or it
-- is called after all: hence MATERIALIZED where these are asked of what was worked out before.
SET ROLE rok_decide_owner;

CREATE OR REPLACE FUNCTION decide.countable(p_amount numeric) RETURNS boolean LANGUAGE sql IMMUTABLE AS $$
  SELECT p_amount >= 0 AND p_amount <= 1000000000000000 AND p_amount = trunc(p_amount)
$$;
COMMENT ON FUNCTION decide.countable(numeric) IS
  'Whole, not negative, at most 10^15 (a billion USD): sums of such amounts stay within a bigint; for decide.settled.';

CREATE OR REPLACE FUNCTION decide.settled(p_state text, p_micros numeric, p_tokens numeric, p_calls numeric, p_output numeric, p_cost_usd numeric)
RETURNS text LANGUAGE sql IMMUTABLE AS $$
  SELECT CASE WHEN p_state <> 'settled' OR coalesce(decide.countable(p_micros) AND decide.countable(p_tokens)
      AND decide.countable(p_calls) AND coalesce(decide.countable(p_output) AND p_output <= p_tokens, true)
      AND p_cost_usd >= 0 AND p_cost_usd < 'Infinity', false)
    THEN p_state ELSE 'unsound' END
$$;
COMMENT ON FUNCTION decide.settled(text, numeric, numeric, numeric, numeric, numeric) IS
  'How a settlement ends: as it says, or `unsound` where what it says was used cannot be counted; for decide.settle.';

CREATE OR REPLACE FUNCTION decide.in_unit(p_unit text, p_micros numeric, p_tokens numeric, p_calls numeric) RETURNS numeric
LANGUAGE sql IMMUTABLE AS $$
  SELECT CASE p_unit WHEN 'usd_micros' THEN p_micros WHEN 'tokens' THEN p_tokens ELSE p_calls END
$$;
COMMENT ON FUNCTION decide.in_unit(text, numeric, numeric, numeric) IS 'Of a call, what an account of this unit counts.';

CREATE OR REPLACE FUNCTION decide.charged(p_ends text, p_bound numeric, p_used numeric) RETURNS numeric LANGUAGE sql IMMUTABLE AS $$
  SELECT CASE p_ends WHEN 'released' THEN 0 WHEN 'settled' THEN p_used ELSE p_bound + (p_ends = 'unsound')::integer END
$$;
COMMENT ON FUNCTION decide.charged(text, numeric, numeric) IS
  'What a call is charged: what it used; of what is forfeited its bound, and of what cannot be counted more than that.';

CREATE OR REPLACE FUNCTION decide.over(p_charged numeric, p_reserved numeric) RETURNS numeric LANGUAGE sql IMMUTABLE AS $$
  SELECT greatest(p_charged - p_reserved, 0)
$$;
COMMENT ON FUNCTION decide.over(numeric, numeric) IS 'What is charged above what was set aside for it.';

CREATE OR REPLACE FUNCTION decide.free(p_cap numeric, p_spent numeric, p_reserved numeric, p_over numeric) RETURNS numeric
LANGUAGE sql IMMUTABLE AS $$
  SELECT p_cap - p_spent - p_reserved - p_over
$$;
COMMENT ON FUNCTION decide.free(numeric, numeric, numeric, numeric) IS
  'What an account has left. What was taken above the cap is not there for anybody else.';

CREATE OR REPLACE FUNCTION decide.fits(p_cap numeric, p_spent numeric, p_reserved numeric, p_over numeric) RETURNS boolean
LANGUAGE sql IMMUTABLE AS $$
  SELECT decide.free(p_cap, p_spent, p_reserved, p_over) >= 0
$$;
COMMENT ON FUNCTION decide.fits(numeric, numeric, numeric, numeric) IS
  'Whether these balances are within the cap: equal to it is, one over is not.';

CREATE OR REPLACE FUNCTION decide.warns(p_cap numeric, p_spent numeric, p_reserved numeric, p_over numeric, p_warned_at timestamptz)
RETURNS boolean LANGUAGE sql IMMUTABLE AS $$
  SELECT p_warned_at IS NULL AND p_cap > 0 AND (p_spent + p_reserved + p_over) * 5 >= p_cap * 4
$$;
COMMENT ON FUNCTION decide.warns(numeric, numeric, numeric, numeric, timestamptz) IS
  'Whether these balances are worth a warning: at 80 % of the cap, once for each account, which is one window''s.';

CREATE OR REPLACE FUNCTION decide.affordable(p_unit text, p_free numeric, p_base bigint, p_num numeric, p_den numeric, p_input bigint,
  p_output bigint) RETURNS bigint
LANGUAGE sql IMMUTABLE AS $$
  SELECT CASE p_unit
    WHEN 'usd_micros' THEN
      CASE WHEN p_free < p_base THEN -1
           WHEN p_num = 0 THEN p_output
           -- div is exact, a quotient of numerics is not; least first, because what is affordable may be beyond a bigint.
           ELSE least(p_output, div((p_free - p_base) * p_den, p_num)) END
    WHEN 'tokens' THEN least(p_output, greatest(p_free - p_input, -1))
    ELSE CASE WHEN p_free >= 1 THEN p_output ELSE -1 END
  END::bigint
$$;
COMMENT ON FUNCTION decide.affordable IS
  'Output tokens of p_output that an account with p_free left can pay for; -1: not even the input; for decide.negotiate.';

CREATE OR REPLACE FUNCTION decide.most_micros(p_base bigint, p_num numeric, p_den numeric, p_output bigint) RETURNS bigint LANGUAGE sql IMMUTABLE AS $$
  SELECT p_base + CASE WHEN p_num = 0 THEN 0
    ELSE div(p_output * p_num + p_den - 1, p_den)::bigint END
$$;
COMMENT ON FUNCTION decide.most_micros IS 'What a call can cost at most, in micro-USD, rounded up.';

RESET ROLE;
