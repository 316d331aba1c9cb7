-- The one place where balances move. Settles what is over and reserves what comes next, under one ordered lock pass.
SET ROLE rok_decide_owner;

-- p_settlements: [{step, attempt, state, micros, tokens, calls, output, cost_usd}]; `output` is the part of `tokens` that was
-- the answer, or NULL. What cannot be counted (missing, negative, a
-- fraction, beyond all sense) is a forfeit that is marked as taken above its bound, never an exception: a run that could not
-- settle could not end. What was closed before, or is not known, has no effect, and the count says so.
-- p_reserve: {step, attempt, turn, action_digest, not_after, enforced, price_key, base_micros, per_token_num, per_token_den,
-- input_tokens, asked_output, floor}, money in micro-USD, per_token in micro-USD a token; or NULL.
-- Answer: {settled, skipped, reserved: null | {ok, output_tokens, micros, tokens, warnings, breaches}}
--
-- One statement after the locks: balances are worked out first and written once, with the journal's entries. PL/pgSQL makes
-- each of its expressions ready anew in every transaction, which for variables and loops was half of the time.
-- A session keeps its plans, and the planner takes a list in JSON for a hundred rows: it would read the whole table, or all
-- that the run ever reserved, to look up one row. Hence look-ups by index only; a step's cost must not grow.
CREATE FUNCTION decide.settle_and_reserve(p_run uuid, p_settlements jsonb, p_reserve jsonb) RETURNS jsonb
LANGUAGE plpgsql SECURITY DEFINER SET search_path = decide, pg_temp
SET enable_seqscan = off SET enable_bitmapscan = off SET enable_hashjoin = off SET enable_mergejoin = off
SET enable_material = off SET plan_cache_mode = force_generic_plan AS $$
DECLARE
  mine bigint[] := '{}';
  touched bigint[];
  answer jsonb;
BEGIN
  IF p_reserve IS NOT NULL THEN mine := decide.accounts_of(p_run); END IF;
  touched := mine || ARRAY(
    SELECT unnest(w.accounts) FROM jsonb_to_recordset(p_settlements) AS s(step integer, attempt integer)
    CROSS JOIN LATERAL (SELECT w.accounts FROM decide.reservations w
      WHERE w.run_id = p_run AND w.step = s.step AND w.attempt = s.attempt OFFSET 0) w);
  PERFORM FROM decide.accounts a WHERE a.account_id = ANY (touched) ORDER BY a.rank, a.account_id FOR NO KEY UPDATE;

  WITH item AS (
    SELECT DISTINCT ON (s.step, s.attempt) s.*,
      s.state = 'settled' AND NOT coalesce(decide.countable(s.micros) AND decide.countable(s.tokens)
        AND decide.countable(s.calls) AND coalesce(decide.countable(s.output) AND s.output <= s.tokens, true)
        AND s.cost_usd >= 0 AND s.cost_usd < 'Infinity', false) AS unsound
    FROM jsonb_to_recordset(p_settlements)
      AS s(step integer, attempt integer, state text, micros numeric, tokens numeric, calls numeric, output numeric, cost_usd numeric)
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
      output_tokens = CASE WHEN i.state = 'settled' AND NOT i.unsound THEN i.output END,
      cost_usd = CASE WHEN i.state = 'settled' AND NOT i.unsound THEN i.cost_usd END
    FROM (SELECT item.*, o.place FROM item CROSS JOIN LATERAL (SELECT o.ctid AS place FROM decide.reservations o
      WHERE o.run_id = p_run AND o.step = item.step AND o.attempt = item.attempt OFFSET 0) o) i
    WHERE w.ctid = i.place
      AND ((w.state = 'issued' AND i.state = 'released') OR (w.state = 'redeemed' AND i.state IN ('settled', 'forfeited')))
    RETURNING w.step, w.attempt, w.state, w.bound_micros, w.bound_tokens, w.accounts, w.amounts, i.unsound, i.micros,
      i.tokens, i.calls
  ), held AS MATERIALIZED (
    SELECT a.* FROM decide.accounts a WHERE a.account_id = ANY (touched)
  ), line AS (
    SELECT l.account_id, c.step, c.attempt, c.state, l.amount, CASE
        WHEN c.state = 'released' THEN 0
        WHEN c.state = 'forfeited' THEN c.unsound::integer
          + CASE a.unit WHEN 'usd_micros' THEN c.bound_micros WHEN 'tokens' THEN c.bound_tokens ELSE 1 END
        ELSE CASE a.unit WHEN 'usd_micros' THEN c.micros WHEN 'tokens' THEN c.tokens ELSE c.calls END
      END::bigint AS used
    FROM closed c CROSS JOIN LATERAL unnest(c.accounts, c.amounts) AS l (account_id, amount)
    JOIN held a ON a.account_id = l.account_id
  ), now AS MATERIALIZED (
    -- The balances as they are when what is over is settled.
    SELECT a.account_id, a.rank, a.scope, a.subject, a.unit, a.time_window, a.on_breach, a.cap, a.warned_at,
      d.account_id IS NOT NULL AS settles,
      a.spent + coalesce(d.spent, 0)::bigint AS spent,
      a.reserved - coalesce(d.amount, 0)::bigint AS reserved,
      a.over + coalesce(d.over, 0)::bigint AS over,
      a.ceiling
    FROM held a LEFT JOIN (
      SELECT l.account_id, sum(l.amount) AS amount, sum(least(l.used, l.amount)) AS spent,
             sum(greatest(l.used - l.amount, 0)) AS over
      FROM line l GROUP BY l.account_id) d ON d.account_id = a.account_id
  ), ask AS (
    -- Whether a cap holds is no word of the asker's: only a contract of OBSERVE_ONLY lets it be passed.
    SELECT r.*, coalesce(r.asked_output, 0) AS asked, r.enforced IS NOT FALSE OR (SELECT c.profile FROM audit.v_contracts c
      WHERE c.run_id = p_run) IS DISTINCT FROM 'OBSERVE_ONLY' AS holds
    FROM jsonb_to_record(p_reserve) AS r(step integer, attempt integer, turn integer, action_digest text,
      not_after timestamptz, enforced boolean, price_key text, base_micros bigint, per_token_num numeric,
      per_token_den numeric, input_tokens bigint, asked_output bigint, floor bigint)
    WHERE p_reserve IS NOT NULL
  ), granted AS (
    -- The tightest account says how much output is granted; less than the floor is not worth having. `over` counts: what was
    -- taken above the cap is not there for anybody else. Not enforced: the full bound is recorded, and what does not fit goes
    -- to `over` when it settles.
    SELECT k.*, g.found, NOT k.holds OR g.found = '[]' AS ok,
      CASE WHEN k.holds THEN least(k.asked, g.least_afford) ELSE k.asked END AS output
    FROM ask k CROSS JOIN LATERAL (
      SELECT min(b.afford) AS least_afford,
        coalesce(jsonb_agg(jsonb_build_object('scope', b.scope, 'subject', b.subject, 'unit', b.unit, 'window', b.time_window,
          'on_breach', b.on_breach, 'cap', b.cap::text, 'spent', b.spent::text, 'reserved', b.reserved::text,
          'over', b.over::text) ORDER BY b.rank, b.account_id)
          FILTER (WHERE b.afford < least(coalesce(k.floor, 0), k.asked)), '[]') AS found
      FROM (SELECT a.*, decide.affordable(a.unit, a.cap::numeric - a.spent - a.reserved - a.over, k.base_micros,
          k.per_token_num, k.per_token_den, k.input_tokens, k.asked) AS afford
        FROM now a WHERE a.account_id = ANY (mine)) b) g
  ), bound AS MATERIALIZED (
    SELECT g.*, decide.most_micros(g.base_micros, g.per_token_num, g.per_token_den, g.output) AS micros,
      g.input_tokens + g.output AS tokens
    FROM granted g WHERE g.ok
  ), take AS MATERIALIZED (
    SELECT a.account_id, a.scope, a.subject, a.unit, n.amount,
      -- Once for each account, which is one window's.
      a.warned_at IS NULL AND a.cap > 0 AND (a.spent::numeric + a.reserved + a.over + n.amount) * 5 >= a.cap::numeric * 4 AS warns
    FROM bound b CROSS JOIN now a
    CROSS JOIN LATERAL (SELECT CASE a.unit WHEN 'usd_micros' THEN b.micros WHEN 'tokens' THEN b.tokens ELSE 1 END AS whole) w
    CROSS JOIN LATERAL (SELECT CASE WHEN b.holds THEN w.whole
      ELSE greatest(0, least(w.whole, a.cap - a.spent - a.reserved)) END AS amount) n
    WHERE a.account_id = ANY (mine)
  ), made AS (
    INSERT INTO decide.reservations (run_id, step, attempt, turn, state, action_digest, not_after, price_key, bound_tokens,
      bound_micros, granted_output, accounts, amounts)
    SELECT p_run, b.step, b.attempt, b.turn, 'issued', b.action_digest, b.not_after, b.price_key, b.tokens, b.micros,
      CASE WHEN b.asked_output IS NOT NULL THEN b.output END,
      coalesce(t.accounts, '{}'), coalesce(t.amounts, '{}')
    FROM bound b CROSS JOIN (SELECT array_agg(t.account_id) AS accounts, array_agg(t.amount) AS amounts FROM take t) t
  ), entries AS (
    -- In the order of what happened.
    INSERT INTO decide.journal (account_id, run_id, step, attempt, op, reserved, spent, over)
    SELECT l.account_id, p_run, l.step, l.attempt,
      CASE l.state WHEN 'settled' THEN 'settle' WHEN 'released' THEN 'release' ELSE 'forfeit' END,
      -l.amount, least(l.used, l.amount), greatest(l.used - l.amount, 0)
    FROM line l
    UNION ALL
    SELECT t.account_id, p_run, b.step, b.attempt, 'reserve', t.amount, 0, 0 FROM bound b CROSS JOIN take t
  ), moved AS (
    UPDATE decide.accounts a SET
      spent = n.spent,
      reserved = n.reserved + coalesce(t.amount, 0),
      over = n.over,
      ceiling = CASE WHEN n.settles THEN greatest(n.cap, n.spent + n.reserved) ELSE n.ceiling END,
      warned_at = CASE WHEN t.warns THEN clock_timestamp() ELSE n.warned_at END
    FROM now n LEFT JOIN take t ON t.account_id = n.account_id
    WHERE a.account_id = n.account_id AND (n.settles OR t.account_id IS NOT NULL)
  )
  SELECT jsonb_build_object('settled', c.n, 'skipped', jsonb_array_length(p_settlements) - c.n, 'reserved',
    CASE WHEN NOT g.ok THEN jsonb_build_object('ok', false, 'breaches', g.found)
         WHEN g.ok THEN jsonb_build_object('ok', true,
           'output_tokens', CASE WHEN g.asked_output IS NULL THEN NULL ELSE g.output END,
           'micros', b.micros::text, 'tokens', b.tokens, 'breaches', g.found, 'warnings',
           coalesce((SELECT jsonb_agg(jsonb_build_object('scope', t.scope, 'subject', t.subject, 'unit', t.unit)
             ORDER BY t.account_id) FROM take t WHERE t.warns), '[]')) END)
  INTO answer
  FROM (SELECT count(*) AS n FROM closed) c LEFT JOIN granted g ON true LEFT JOIN bound b ON true;
  RETURN answer;
END $$;
COMMENT ON FUNCTION decide.settle_and_reserve(uuid, jsonb, jsonb) IS
  'Called by rok_decide as the last statement but the decision row: the only writer of balances.';
GRANT EXECUTE ON FUNCTION decide.settle_and_reserve(uuid, jsonb, jsonb) TO rok_decide;

RESET ROLE;
