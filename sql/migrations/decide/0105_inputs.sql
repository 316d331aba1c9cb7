-- What decisions depended on, stored once by digest: policy sets, price tables, snapshots.
SET ROLE rok_decide_owner;

CREATE TABLE decide.policy_sets (
  digest rok.sha256_hex PRIMARY KEY,
  body text NOT NULL,
  author text NOT NULL,
  reason text NOT NULL,
  published_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE TABLE decide.price_tables (
  digest rok.sha256_hex PRIMARY KEY,
  body text NOT NULL,
  stored_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE TABLE decide.snapshots (
  run_id uuid NOT NULL REFERENCES decide.runs,
  digest rok.sha256_hex NOT NULL,
  -- Canonical JSON, as hashed.
  body text NOT NULL,
  PRIMARY KEY (run_id, digest)
);

RESET ROLE;
