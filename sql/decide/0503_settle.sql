-- What a settlement must be like to count.
SET ROLE rok_decide_owner;

CREATE FUNCTION decide.countable(p_amount numeric) RETURNS boolean LANGUAGE sql IMMUTABLE AS $$
  SELECT p_amount >= 0 AND p_amount <= 1000000000000000 AND p_amount = trunc(p_amount)
$$;
COMMENT ON FUNCTION decide.countable(numeric) IS
  'Whole, not negative, at most 10^15 (a billion USD): sums of such amounts stay within a bigint; for settle_and_reserve.';

RESET ROLE;
