-- How much output an account can pay for, and what that much costs at most.
SET ROLE rok_decide_owner;

CREATE FUNCTION decide.affordable(p_unit text, p_free numeric, p_base bigint, p_num numeric, p_den numeric, p_input bigint,
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
  'Output tokens of p_output that an account with p_free left can pay for; -1: not even the input; for settle_and_reserve.';

CREATE FUNCTION decide.most_micros(p_base bigint, p_num numeric, p_den numeric, p_output bigint) RETURNS bigint LANGUAGE sql IMMUTABLE AS $$
  SELECT p_base + CASE WHEN p_num = 0 THEN 0
    ELSE div(p_output * p_num + p_den - 1, p_den)::bigint END
$$;
COMMENT ON FUNCTION decide.most_micros IS 'The bound in micro-USD, rounded up; for settle_and_reserve.';

RESET ROLE;
