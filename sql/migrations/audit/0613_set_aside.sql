-- Runs and strays that the judge could not judge. Each stands in no page any more and is tried again alone, at growing
-- intervals; past its due time it is STALE meanwhile, and where the judge fails for good it gets its verdict too.
SET ROLE rok_audit_owner;

CREATE TABLE audit.set_aside (
  -- A run, or the id audit gave a stray.
  run_id uuid PRIMARY KEY,
  -- How often it failed alone while others could be judged.
  failures integer NOT NULL CHECK (failures >= 1),
  first_at timestamptz NOT NULL,
  last_at timestamptz NOT NULL,
  next_at timestamptz NOT NULL,
  -- Of the last failure.
  sqlstate text NOT NULL CHECK (sqlstate ~ '^[0-9A-Z]{5}$'),
  CHECK (first_at <= last_at AND last_at < next_at)
);
CREATE INDEX set_aside_by_turn ON audit.set_aside (next_at);

RESET ROLE;
