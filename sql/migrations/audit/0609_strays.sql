-- Executions that Temporal knows and the database does not: entered with a due time of their own, then judged.
SET ROLE rok_audit_owner;

CREATE TABLE audit.strays (
  workflow_id text NOT NULL CHECK (length(workflow_id) <= 1000),
  temporal_run_id text NOT NULL CHECK (length(temporal_run_id) <= 128),
  -- Given here, so that a stray can have a verdict and a receipt.
  run_id uuid NOT NULL UNIQUE DEFAULT gen_random_uuid(),
  started_at timestamptz NOT NULL,
  found_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  due_at timestamptz NOT NULL,
  -- How it ended: it opened a run after all, or it was judged.
  settled_at timestamptz,
  settled_as text CHECK (settled_as IN ('opened', 'judged')),
  PRIMARY KEY (workflow_id, temporal_run_id),
  CHECK ((settled_at IS NULL) = (settled_as IS NULL))
);
CREATE INDEX strays_open ON audit.strays (due_at) WHERE settled_at IS NULL;

RESET ROLE;
