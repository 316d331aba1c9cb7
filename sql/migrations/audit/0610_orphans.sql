-- Runs that are not over although Temporal says their workflow is closed or gone: what the deciders repair.
SET ROLE rok_audit_owner;

CREATE TABLE audit.orphans (
  run_id uuid PRIMARY KEY REFERENCES audit.contracts,
  found_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  -- As Temporal said: `TERMINATED`, `FAILED`, …, or `NOT_FOUND`.
  status text NOT NULL CHECK (length(status) BETWEEN 1 AND 64)
);

RESET ROLE;
