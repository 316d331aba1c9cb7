-- A warrant and what is set aside for it: one row per allowed attempt, one line per account it takes from.
SET ROLE rok_decide_owner;

CREATE TABLE decide.reservations (
  run_id uuid NOT NULL,
  step integer NOT NULL,
  attempt integer NOT NULL,
  turn integer NOT NULL,
  state text NOT NULL CHECK (state IN ('issued', 'redeemed', 'settled', 'released', 'forfeited')),
  action_digest text NOT NULL,
  not_after timestamptz NOT NULL,
  -- The one redemption that counts; the same nonce may ask again, no other.
  nonce uuid,
  -- What the settle prices with: price key and, for a success without usage, the bound.
  price_key text,
  bound_tokens bigint NOT NULL DEFAULT 0,
  bound_micros bigint NOT NULL DEFAULT 0,
  issued_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  redeemed_at timestamptz,
  closed_at timestamptz,
  spent_micros bigint CHECK (spent_micros >= 0),
  -- What was taken above the bound. Of usage that cannot be counted, only that it was above: 1.
  over_micros bigint CHECK (over_micros >= 0),
  tokens bigint CHECK (tokens >= 0),
  -- Exact, before it was rounded up to micro-USD.
  cost_usd numeric CHECK (cost_usd >= 0),
  PRIMARY KEY (run_id, step, attempt),
  -- Deferred: the reservation answers part of the decision that is written right after it.
  FOREIGN KEY (run_id, step, attempt) REFERENCES decide.decisions DEFERRABLE INITIALLY DEFERRED,
  CHECK ((nonce IS NULL) = (redeemed_at IS NULL)),
  CHECK ((state IN ('settled', 'released', 'forfeited')) = (closed_at IS NOT NULL)),
  CHECK (state <> 'issued' OR nonce IS NULL),
  CHECK (state NOT IN ('redeemed', 'settled', 'forfeited') OR nonce IS NOT NULL)
);
CREATE INDEX reservations_open ON decide.reservations (run_id) WHERE closed_at IS NULL;
-- Asked at every step: whether a provider took more than it was granted.
CREATE INDEX reservations_over ON decide.reservations (run_id) WHERE over_micros > 0;

CREATE TABLE decide.reservation_lines (
  run_id uuid NOT NULL,
  step integer NOT NULL,
  attempt integer NOT NULL,
  account_id bigint NOT NULL REFERENCES decide.accounts,
  amount bigint NOT NULL CHECK (amount >= 0),
  PRIMARY KEY (run_id, step, attempt, account_id),
  FOREIGN KEY (run_id, step, attempt) REFERENCES decide.reservations
);
-- Written by decide.settle_and_reserve and decide.redeem only.
GRANT SELECT ON decide.reservations, decide.reservation_lines TO rok_decide;

CREATE VIEW decide.v_reservations AS SELECT * FROM decide.reservations;
-- A row here is a bug: an account's reserved is not what its open reservations set aside.
CREATE VIEW decide.v_set_aside_drift AS
  SELECT a.account_id, a.scope, a.subject, a.unit, a.reserved, coalesce(sum(l.amount), 0) AS set_aside
  FROM decide.accounts a
  LEFT JOIN (decide.reservations w JOIN decide.reservation_lines l USING (run_id, step, attempt))
    ON l.account_id = a.account_id AND w.closed_at IS NULL
  GROUP BY a.account_id
  HAVING a.reserved IS DISTINCT FROM coalesce(sum(l.amount), 0);
GRANT SELECT ON decide.v_reservations, decide.v_set_aside_drift TO rok_audit, rok_audit_owner, rok_read;
GRANT SELECT ON decide.v_set_aside_drift TO rok_decide;

RESET ROLE;
