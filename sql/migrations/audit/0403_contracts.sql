-- What was promised for each run before it began, and when the judge must look at it next.
SET ROLE rok_audit_owner;

CREATE TABLE audit.contracts (
  run_id uuid PRIMARY KEY,
  tenant text NOT NULL,
  agent text NOT NULL,
  profile text NOT NULL CHECK (profile IN ('STRICT', 'STANDARD', 'OBSERVE_ONLY')),
  declared_at timestamptz NOT NULL,
  declared_run_deadline timestamptz NOT NULL,
  declared_finalize_due timestamptz NOT NULL,
  expires_at timestamptz NOT NULL,
  -- Canonical JSON of the above with the expectations, and its digest: the root of the run's trace.
  bytes bytea NOT NULL,
  digest bytea NOT NULL CHECK (length(digest) = 32),
  -- In force, after amendments; moved by audit.amend only.
  run_deadline timestamptz NOT NULL,
  finalize_due timestamptz NOT NULL,
  -- NULL: judged, and nothing happened since.
  judge_after timestamptz,
  CHECK (run_deadline <= finalize_due AND finalize_due <= expires_at)
);
CREATE INDEX contracts_to_judge ON audit.contracts (judge_after) WHERE judge_after IS NOT NULL;
CREATE INDEX contracts_open ON audit.contracts (run_deadline) WHERE judge_after IS NOT NULL;
-- The rolling sample goes through all of them, oldest first.
CREATE INDEX contracts_by_age ON audit.contracts (declared_at, run_id);
CREATE INDEX contracts_by_tenant ON audit.contracts (tenant, declared_at DESC);

RESET ROLE;
