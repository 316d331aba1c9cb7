-- Views and rights that belong to `migrations/decide/0108_reservations.sql`.
SET ROLE rok_decide_owner;

-- Written by decide.settle_and_reserve, decide.reserve_in_full and decide.redeem only.
GRANT SELECT ON decide.reservations TO rok_decide;

CREATE OR REPLACE VIEW decide.v_reservations AS
  SELECT run_id, step, attempt, turn, state, action_digest, not_after, nonce, price_key, bound_tokens, bound_micros,
         issued_at, redeemed_at, closed_at, spent_micros, over_micros, tokens, cost_usd, granted_output, output_tokens
  FROM decide.reservations;
-- A row here is a bug: an account's reserved is not what its open reservations set aside.
CREATE OR REPLACE VIEW decide.v_set_aside_drift AS
  SELECT a.account_id, a.scope, a.subject, a.unit, a.reserved, coalesce(sum(l.amount), 0) AS set_aside
  FROM decide.accounts a
  LEFT JOIN (decide.reservations w CROSS JOIN LATERAL unnest(w.accounts, w.amounts) AS l (account_id, amount))
    ON l.account_id = a.account_id AND w.closed_at IS NULL
  GROUP BY a.account_id
  HAVING a.reserved IS DISTINCT FROM coalesce(sum(l.amount), 0);
GRANT SELECT ON decide.v_reservations, decide.v_set_aside_drift TO rok_audit, rok_audit_owner, rok_read;
GRANT SELECT ON decide.v_set_aside_drift TO rok_decide;

RESET ROLE;
