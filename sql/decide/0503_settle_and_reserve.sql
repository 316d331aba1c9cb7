-- The one place where balances move. Settles what is over and reserves what comes next, under one ordered lock pass.
SET ROLE rok_decide_owner;

CREATE FUNCTION decide.settle_one(p_run uuid, p_step integer, p_attempt integer, p_state text,
  p_micros bigint, p_tokens bigint, p_calls bigint, p_cost numeric) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
  warrant decide.reservations;
  line record;
  actual bigint;
BEGIN
  UPDATE decide.reservations w SET
    state = p_state,
    closed_at = clock_timestamp(),
    spent_micros = CASE p_state WHEN 'released' THEN 0 WHEN 'forfeited' THEN w.bound_micros ELSE least(p_micros, w.bound_micros) END,
    over_micros = CASE p_state WHEN 'settled' THEN greatest(p_micros - w.bound_micros, 0) ELSE 0 END,
    tokens = CASE p_state WHEN 'released' THEN 0 WHEN 'forfeited' THEN w.bound_tokens ELSE p_tokens END,
    cost_usd = CASE p_state WHEN 'settled' THEN p_cost END
  WHERE w.run_id = p_run AND w.step = p_step AND w.attempt = p_attempt
    AND ((w.state = 'issued' AND p_state = 'released') OR (w.state = 'redeemed' AND p_state IN ('settled', 'forfeited')))
  RETURNING * INTO warrant;
  -- Settled before, or unknown: no effect, and said so.
  IF NOT FOUND THEN RETURN false; END IF;
  FOR line IN
    SELECT l.account_id, l.amount, a.unit FROM decide.reservation_lines l JOIN decide.accounts a USING (account_id)
    WHERE l.run_id = p_run AND l.step = p_step AND l.attempt = p_attempt
  LOOP
    actual := CASE p_state
      WHEN 'released' THEN 0
      WHEN 'forfeited' THEN CASE line.unit WHEN 'usd_micros' THEN warrant.bound_micros WHEN 'tokens' THEN warrant.bound_tokens ELSE 1 END
      ELSE CASE line.unit WHEN 'usd_micros' THEN p_micros WHEN 'tokens' THEN p_tokens ELSE p_calls END
    END;
    UPDATE decide.accounts a SET
      reserved = a.reserved - line.amount,
      spent = a.spent + least(actual, line.amount),
      over = a.over + greatest(actual - line.amount, 0),
      ceiling = greatest(a.cap, least(a.ceiling, a.spent + least(actual, line.amount) + a.reserved - line.amount))
    WHERE a.account_id = line.account_id;
    INSERT INTO decide.journal (account_id, run_id, step, attempt, op, reserved, spent, over)
    VALUES (line.account_id, p_run, p_step, p_attempt,
      CASE p_state WHEN 'settled' THEN 'settle' WHEN 'released' THEN 'release' ELSE 'forfeit' END,
      -line.amount, least(actual, line.amount), greatest(actual - line.amount, 0));
  END LOOP;
  RETURN true;
END $$;
COMMENT ON FUNCTION decide.settle_one(uuid, integer, integer, text, bigint, bigint, bigint, numeric) IS
  'Called by settle_and_reserve only, which holds the locks.';

-- p_settlements: [{step, attempt, state, micros, tokens, calls, cost_usd}]
-- p_reserve: {step, attempt, turn, action_digest, not_after, enforced, price_key, base_micros, per_token_num,
--             per_token_den, input_tokens, asked_output, floor} or NULL; money in micro-USD, per_token in micro-USD a token.
-- Answer: {settled, skipped, reserved: null | {ok, output_tokens, micros, tokens, warnings, breach}}
CREATE FUNCTION decide.settle_and_reserve(p_run uuid, p_settlements jsonb, p_reserve jsonb) RETURNS jsonb
LANGUAGE plpgsql SECURITY DEFINER SET search_path = decide, pg_temp AS $$
DECLARE
  mine bigint[] := '{}';
  item record;
  ask record;
  account decide.accounts;
  settled integer := 0;
  skipped integer := 0;
  available bigint;
  afford bigint;
  output bigint;
  bound_micros bigint;
  bound_tokens bigint;
  amount bigint;
  breach jsonb;
  warnings jsonb := '[]';
BEGIN
  IF p_reserve IS NOT NULL THEN mine := decide.accounts_of(p_run); END IF;
  PERFORM FROM decide.accounts a
    WHERE a.account_id = ANY (mine)
       OR a.account_id IN (
         SELECT l.account_id FROM jsonb_to_recordset(p_settlements) AS s(step integer, attempt integer)
         JOIN decide.reservation_lines l ON l.run_id = p_run AND l.step = s.step AND l.attempt = s.attempt)
    ORDER BY a.rank, a.account_id FOR NO KEY UPDATE;

  FOR item IN SELECT * FROM jsonb_to_recordset(p_settlements)
    AS s(step integer, attempt integer, state text, micros bigint, tokens bigint, calls bigint, cost_usd numeric) LOOP
    IF decide.settle_one(p_run, item.step, item.attempt, item.state, item.micros, item.tokens, item.calls, item.cost_usd)
    THEN settled := settled + 1; ELSE skipped := skipped + 1; END IF;
  END LOOP;
  IF p_reserve IS NULL THEN
    RETURN jsonb_build_object('settled', settled, 'skipped', skipped, 'reserved', NULL);
  END IF;

  SELECT * INTO ask FROM jsonb_to_record(p_reserve) AS r(step integer, attempt integer, turn integer, action_digest text,
    not_after timestamptz, enforced boolean, price_key text, base_micros bigint, per_token_num numeric,
    per_token_den numeric, input_tokens bigint, asked_output bigint, floor bigint);
  output := coalesce(ask.asked_output, 0);
  FOR account IN SELECT * FROM decide.accounts a WHERE a.account_id = ANY (mine) ORDER BY a.rank, a.account_id LOOP
    available := account.cap - account.spent - account.reserved - account.over;
    afford := CASE account.unit
      WHEN 'usd_micros' THEN
        CASE WHEN available < ask.base_micros THEN -1
             WHEN ask.per_token_num = 0 THEN output
             -- div is exact, a quotient of numerics is not; least first, because what is affordable may be beyond a bigint.
             ELSE least(output, div((available - ask.base_micros) * ask.per_token_den, ask.per_token_num)) END
      WHEN 'tokens' THEN available - ask.input_tokens
      ELSE CASE WHEN available >= 1 THEN output ELSE -1 END
    END;
    IF afford < least(coalesce(ask.floor, 0), output) OR afford < 0 THEN
      breach := coalesce(breach, jsonb_build_object('scope', account.scope, 'subject', account.subject, 'unit', account.unit,
        'window', account.time_window, 'on_breach', account.on_breach, 'cap', account.cap::text, 'spent', account.spent::text,
        'reserved', account.reserved::text, 'over', account.over::text));
    ELSIF afford < output THEN
      output := afford;
    END IF;
  END LOOP;
  IF breach IS NOT NULL AND ask.enforced THEN
    RETURN jsonb_build_object('settled', settled, 'skipped', skipped,
      'reserved', jsonb_build_object('ok', false, 'breach', breach));
  END IF;
  -- Not enforced: the full bound is recorded, and what does not fit goes to `over` when it settles.
  IF breach IS NOT NULL THEN output := coalesce(ask.asked_output, 0); END IF;
  bound_micros := ask.base_micros + CASE WHEN ask.per_token_num = 0 THEN 0 ELSE div(output * ask.per_token_num + ask.per_token_den - 1, ask.per_token_den) END;
  bound_tokens := ask.input_tokens + output;

  INSERT INTO decide.reservations (run_id, step, attempt, turn, state, action_digest, not_after, price_key, bound_tokens, bound_micros)
  VALUES (p_run, ask.step, ask.attempt, ask.turn, 'issued', ask.action_digest, ask.not_after, ask.price_key, bound_tokens, bound_micros);
  FOR account IN SELECT * FROM decide.accounts a WHERE a.account_id = ANY (mine) ORDER BY a.rank, a.account_id LOOP
    amount := CASE account.unit WHEN 'usd_micros' THEN bound_micros WHEN 'tokens' THEN bound_tokens ELSE 1 END;
    IF NOT ask.enforced THEN
      amount := greatest(0, least(amount, account.cap - account.spent - account.reserved));
    END IF;
    INSERT INTO decide.reservation_lines VALUES (p_run, ask.step, ask.attempt, account.account_id, amount);
    INSERT INTO decide.journal (account_id, run_id, step, attempt, op, reserved, spent, over)
    VALUES (account.account_id, p_run, ask.step, ask.attempt, 'reserve', amount, 0, 0);
    IF account.warned_at IS NULL AND account.cap > 0 AND (account.spent + account.reserved + amount)::numeric * 5 >= account.cap::numeric * 4 THEN
      warnings := warnings || jsonb_build_object('scope', account.scope, 'subject', account.subject, 'unit', account.unit);
      UPDATE decide.accounts a SET reserved = a.reserved + amount, warned_at = clock_timestamp() WHERE a.account_id = account.account_id;
    ELSE
      UPDATE decide.accounts a SET reserved = a.reserved + amount WHERE a.account_id = account.account_id;
    END IF;
  END LOOP;
  RETURN jsonb_build_object('settled', settled, 'skipped', skipped, 'reserved', jsonb_build_object('ok', true,
    'output_tokens', CASE WHEN ask.asked_output IS NULL THEN NULL ELSE output END,
    'micros', bound_micros::text, 'tokens', bound_tokens, 'warnings', warnings, 'breach', breach));
END $$;
COMMENT ON FUNCTION decide.settle_and_reserve(uuid, jsonb, jsonb) IS
  'Called by rok_decide as the last statement but the decision row: the only writer of balances.';
GRANT EXECUTE ON FUNCTION decide.settle_and_reserve(uuid, jsonb, jsonb) TO rok_decide;

RESET ROLE;
