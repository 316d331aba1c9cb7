-- A warrant and what is set aside for it: one row per allowed attempt, with the accounts that it takes from.
SET ROLE rok_decide_owner;

CREATE TABLE decide.reservations (
  run_id uuid NOT NULL,
  step integer NOT NULL,
  attempt integer NOT NULL,
  turn integer NOT NULL,
  state rok.reservation_state NOT NULL,
  action_digest text NOT NULL,
  not_after timestamptz NOT NULL,
  -- The one redemption that counts; the same nonce may ask again, no other.
  nonce uuid,
  -- What the settle prices with: price key and, for a success without usage, the bound.
  price_key text,
  bound_tokens bigint NOT NULL DEFAULT 0,
  bound_micros bigint NOT NULL DEFAULT 0,
  -- Of bound_tokens, what the provider may answer with: the limit that it is told. NULL of what is no model call.
  granted_output rok.amount,
  -- What is set aside, and where: it settles there, whatever window is open by then. Each account has its entry in the
  -- journal, whose foreign key says that there is such an account.
  accounts bigint[] NOT NULL DEFAULT '{}',
  amounts bigint[] NOT NULL DEFAULT '{}',
  issued_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  redeemed_at timestamptz,
  closed_at timestamptz,
  spent_micros rok.amount,
  -- What was taken above the bound. Of usage that cannot be counted, only that it was above: 1.
  over_micros rok.amount,
  tokens rok.amount,
  -- Of these tokens, what was the answer; NULL where nobody said.
  output_tokens rok.amount,
  -- Exact, before it was rounded up to micro-USD.
  cost_usd numeric CHECK (cost_usd >= 0),
  PRIMARY KEY (run_id, step, attempt),
  -- Deferred: the reservation answers part of the decision that is written right after it.
  FOREIGN KEY (run_id, step, attempt) REFERENCES decide.decisions DEFERRABLE INITIALLY DEFERRED,
  CHECK ((nonce IS NULL) = (redeemed_at IS NULL)),
  CHECK ((state IN ('settled', 'released', 'forfeited')) = (closed_at IS NOT NULL)),
  CHECK (state <> 'issued' OR nonce IS NULL),
  CHECK (state NOT IN ('redeemed', 'settled', 'forfeited') OR nonce IS NOT NULL),
  CONSTRAINT each_account_has_its_amount
    CHECK (cardinality(accounts) = cardinality(amounts) AND 0 <= ALL (amounts) AND array_position(accounts, NULL) IS NULL)
) WITH (fillfactor = 70);
-- Both columns, so that it is taken before the primary key even by a plan that was made while the table was small.
CREATE INDEX reservations_open ON decide.reservations (run_id, closed_at) WHERE closed_at IS NULL;
-- Asked at every step: whether a provider took more than it was granted. Of a model that costs nothing only the tokens say so;
-- an answer is held against its own limit, and a prompt against its own bound: what one left over does not excuse the other.
CREATE INDEX reservations_over ON decide.reservations (run_id) WHERE over_micros > 0 OR tokens > bound_tokens
  OR output_tokens > granted_output OR tokens - output_tokens > bound_tokens - granted_output;

RESET ROLE;
