-- Where each run's trace stands: its lock, its length, its last hash.
SET ROLE rok_observe_owner;

CREATE TABLE observe.heads (
  run_id uuid PRIMARY KEY,
  length bigint NOT NULL DEFAULT 0 CHECK (length >= 0),
  -- Hash of the last event; before the first, the contract's digest.
  hash bytea NOT NULL CHECK (length(hash) = 32),
  closed_at timestamptz
);
-- No login writes here: observe.append_together does, as owner.

RESET ROLE;
