-- One run that may have to negotiate: settles what is over and reserves what comes next, under one ordered lock pass.
SET ROLE rok_decide_owner;

-- The tightest account says how much output is granted; less than the floor is not worth having. Where caps do not hold,
-- the full bound is recorded, and what does not fit goes to `over` when it settles.
CREATE OR REPLACE FUNCTION decide.negotiate(p_run uuid, p_accounts bigint[], p_settled decide.movement[], p_reserve jsonb,
  OUT movements decide.movement[], OUT reserved jsonb)
LANGUAGE plpgsql AS $$
BEGIN
  WITH ask AS MATERIALIZED (
    -- Whether a cap holds is no word of the asker's: only a contract of OBSERVE_ONLY lets it be passed.
    SELECT r.*, coalesce(r.asked_output, 0) AS asked, r.enforced IS NOT FALSE OR (SELECT c.profile FROM audit.v_contracts c
      WHERE c.run_id = p_run) IS DISTINCT FROM 'OBSERVE_ONLY' AS holds
    FROM jsonb_to_record(p_reserve) AS r(step integer, attempt integer, turn integer, action_digest text,
      not_after timestamptz, enforced boolean, price_key text, base_micros bigint, per_token_num numeric,
      per_token_den numeric, input_tokens bigint, asked_output bigint, floor bigint)
  ), now AS MATERIALIZED (
    -- The balances as they are when what is over is settled.
    SELECT a.account_id, a.rank, a.scope, a.subject, a.unit, a.time_window, a.on_breach, a.cap,
      a.spent + coalesce(d.spent, 0) AS spent, a.reserved + coalesce(d.reserved, 0) AS reserved,
      a.over + coalesce(d.over, 0) AS over
    FROM decide.accounts a
    CROSS JOIN LATERAL (SELECT sum(m.spent)::bigint AS spent, sum(m.reserved)::bigint AS reserved, sum(m.over)::bigint AS over
      FROM unnest(p_settled) m WHERE m.account_id = a.account_id) d
    WHERE a.account_id = ANY (p_accounts)
  ), afford AS MATERIALIZED (
    SELECT n.*, decide.affordable(n.unit, decide.free(n.cap, n.spent, n.reserved, n.over), k.base_micros, k.per_token_num,
      k.per_token_den, k.input_tokens, k.asked) AS output
    FROM ask k CROSS JOIN now n
  ), granted AS MATERIALIZED (
    SELECT k.*, g.breaches, NOT k.holds OR g.breaches = '[]' AS ok,
      CASE WHEN k.holds THEN least(k.asked, g.least_output) ELSE k.asked END AS output
    FROM ask k CROSS JOIN LATERAL (SELECT min(f.output) AS least_output,
      coalesce(jsonb_agg(jsonb_build_object('scope', f.scope, 'subject', f.subject, 'unit', f.unit, 'window', f.time_window,
        'on_breach', f.on_breach, 'cap', f.cap::text, 'spent', f.spent::text, 'reserved', f.reserved::text,
        'over', f.over::text) ORDER BY f.rank, f.account_id)
        FILTER (WHERE f.output < least(coalesce(k.floor, 0), k.asked)), '[]') AS breaches FROM afford f) g
  ), bound AS MATERIALIZED (
    SELECT g.*, decide.most_micros(g.base_micros, g.per_token_num, g.per_token_den, g.output) AS micros,
      g.input_tokens + g.output AS tokens
    FROM granted g WHERE g.ok
  ), take AS MATERIALIZED (
    SELECT n.account_id, CASE WHEN b.holds THEN w.whole ELSE greatest(0, least(w.whole, n.cap - n.spent - n.reserved)) END AS amount
    FROM bound b CROSS JOIN now n
    CROSS JOIN LATERAL (SELECT decide.in_unit(n.unit, b.micros, b.tokens, 1)::bigint AS whole) w
  ), made AS (
    INSERT INTO decide.reservations (run_id, step, attempt, turn, state, action_digest, not_after, price_key, bound_tokens,
      bound_micros, granted_output, accounts, amounts)
    SELECT p_run, b.step, b.attempt, b.turn, 'issued', b.action_digest, b.not_after, b.price_key, b.tokens, b.micros,
      CASE WHEN b.asked_output IS NOT NULL THEN b.output END, coalesce(t.accounts, '{}'), coalesce(t.amounts, '{}')
    FROM bound b CROSS JOIN (SELECT array_agg(t.account_id) AS accounts, array_agg(t.amount) AS amounts FROM take t) t
  )
  SELECT (SELECT array_agg(ROW(t.account_id, p_run, g.step, g.attempt, 'reserve', t.amount, 0, 0)::decide.movement) FROM take t),
    CASE WHEN NOT g.ok THEN jsonb_build_object('ok', false, 'breaches', g.breaches)
      ELSE jsonb_build_object('ok', true, 'output_tokens', CASE WHEN g.asked_output IS NOT NULL THEN g.output END,
        'micros', b.micros::text, 'tokens', b.tokens, 'breaches', g.breaches) END
  INTO movements, reserved FROM granted g LEFT JOIN bound b ON true;
END $$;
COMMENT ON FUNCTION decide.negotiate(uuid, bigint[], decide.movement[], jsonb) IS
  'How much of what is asked for these accounts can pay for, and its warrant where that is enough; for settle_and_reserve.';

-- p_settlements as in decide.settle; p_reserve: {step, attempt, turn, action_digest, not_after, enforced, price_key, base_micros,
-- per_token_num, per_token_den, input_tokens, asked_output, floor}, money in micro-USD, per_token in micro-USD a token; or NULL.
-- Answer: {settled, skipped, reserved: null | {ok, output_tokens, micros, tokens, warnings, breaches}}
CREATE OR REPLACE FUNCTION decide.settle_and_reserve(p_run uuid, p_settlements jsonb, p_reserve jsonb) RETURNS jsonb
LANGUAGE plpgsql SECURITY DEFINER SET search_path = decide, pg_temp
SET enable_seqscan = off SET enable_bitmapscan = off SET enable_hashjoin = off SET enable_mergejoin = off
SET enable_material = off SET plan_cache_mode = force_generic_plan AS $$
DECLARE
  mine bigint[] := '{}';
  settling record;
  taking record;
  moved record;
BEGIN
  IF p_reserve IS NOT NULL THEN mine := decide.accounts_of(p_run); END IF;
  settling := decide.settle(p_run, p_settlements, mine);
  IF p_reserve IS NULL THEN
    PERFORM decide.move(settling.movements, false);
    RETURN jsonb_build_object('settled', settling.closed, 'skipped', jsonb_array_length(p_settlements) - settling.closed, 'reserved', NULL);
  END IF;
  taking := decide.negotiate(p_run, mine, settling.movements, p_reserve);
  moved := decide.move(settling.movements || taking.movements, false);
  RETURN jsonb_build_object('settled', settling.closed, 'skipped', jsonb_array_length(p_settlements) - settling.closed, 'reserved',
    taking.reserved || CASE WHEN (taking.reserved -> 'ok')::boolean THEN jsonb_build_object('warnings', moved.warnings) ELSE '{}' END);
END $$;
COMMENT ON FUNCTION decide.settle_and_reserve(uuid, jsonb, jsonb) IS
  'Called by rok_decide as the last statement but the decision row: settles, and reserves as much as the accounts can pay for.';
GRANT EXECUTE ON FUNCTION decide.settle_and_reserve(uuid, jsonb, jsonb) TO rok_decide;

RESET ROLE;
