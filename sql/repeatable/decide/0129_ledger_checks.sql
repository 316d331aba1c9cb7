-- Accounts as they are shown, and the journal against what each reservation says that its attempt took.
SET ROLE rok_decide_owner;

-- `all` is no tenant's. What was taken above a cap is not there for anybody: nothing is free until the window ends.
CREATE OR REPLACE VIEW decide.v_balances AS
  SELECT a.account_id,
         CASE a.scope WHEN 'all' THEN NULL WHEN 'tenant' THEN a.subject WHEN 'run' THEN r.tenant
           ELSE split_part(a.subject, '/', 1) END AS tenant,
         a.scope, a.subject, a.unit, a.time_window, a.window_start,
         -- None for windows that do not end.
         CASE a.time_window
           WHEN 'day' THEN (a.window_start AT TIME ZONE 'UTC' + interval '1 day') AT TIME ZONE 'UTC'
           WHEN 'month' THEN (a.window_start AT TIME ZONE 'UTC' + interval '1 month') AT TIME ZONE 'UTC'
         END AS window_end,
         a.rank, a.on_breach, a.cap, a.spent, a.reserved, a.over,
         greatest(a.cap::numeric - a.spent - a.reserved - a.over, 0)::bigint AS free, a.warned_at
  FROM decide.accounts a
  LEFT JOIN decide.runs r ON r.run_id = CASE WHEN a.scope = 'run' AND a.subject ~ '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$'
    THEN a.subject::uuid END;

-- A row here is a bug: an attempt's entries on an account are not what its reservation says of it. Each is reserved once and
-- closed once, as its reservation was; what the bound held and what was above it are one sum, because a cap that was not
-- enforced may have set aside less than the bound.
CREATE OR REPLACE VIEW decide.v_charge_drift AS
  SELECT a.account_id, a.scope, a.subject, a.unit, j.run_id, j.step, j.attempt, d.what, d.reservation, d.journal
  FROM (
    SELECT j.account_id, j.run_id, j.step, j.attempt, sum(j.reserved) AS reserved, sum(j.spent + j.over) AS used,
           coalesce(string_agg(j.op, ',' ORDER BY j.op) FILTER (WHERE j.op = 'reserve'), '') AS opened,
           coalesce(string_agg(j.op, ',' ORDER BY j.op) FILTER (WHERE j.op <> 'reserve'), '') AS closed
    FROM decide.journal j WHERE j.run_id IS NOT NULL GROUP BY j.account_id, j.run_id, j.step, j.attempt) j
  JOIN decide.accounts a USING (account_id)
  LEFT JOIN decide.reservations w USING (run_id, step, attempt),
  LATERAL (VALUES
    ('opened', CASE WHEN w.run_id IS NULL THEN '' ELSE 'reserve' END, j.opened),
    ('closed', CASE w.state WHEN 'settled' THEN 'settle' WHEN 'released' THEN 'release' WHEN 'forfeited' THEN 'forfeit' ELSE '' END,
      j.closed),
    ('used', CASE
      WHEN w.closed_at IS NULL OR w.state = 'released' THEN 0
      WHEN a.unit = 'usd_micros' THEN w.spent_micros::numeric + w.over_micros
      -- A forfeit that is above its bound is one above it in every unit.
      WHEN a.unit = 'tokens' THEN w.tokens::numeric + CASE WHEN w.state = 'forfeited' THEN w.over_micros ELSE 0 END
      WHEN w.state = 'forfeited' THEN 1 + w.over_micros
      -- A call that failed is none.
      ELSE least(j.used, 1) END::text, j.used::text),
    ('set aside', CASE WHEN w.closed_at IS NULL THEN greatest(j.reserved, 0) ELSE 0 END::text, j.reserved::text))
    AS d (what, reservation, journal)
  WHERE d.reservation IS DISTINCT FROM d.journal;
GRANT SELECT ON decide.v_balances, decide.v_charge_drift TO rok_audit_owner, rok_read;

RESET ROLE;
