-- A halt stops everything in its scope, between decision and call too, in every profile and with a broken policy set.
SET ROLE rok_decide_owner;

CREATE TABLE decide.halts (
  halt_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  scope text NOT NULL CHECK (scope IN ('all', 'tenant', 'agent')),
  -- The tenant, or `tenant/agent`; empty for all.
  subject text NOT NULL CHECK ((scope = 'all') = (subject = '')),
  reason text NOT NULL CHECK (length(reason) BETWEEN 1 AND 1000),
  set_by text NOT NULL,
  set_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  lifted_by text,
  lifted_at timestamptz,
  CHECK ((lifted_by IS NULL) = (lifted_at IS NULL))
);
CREATE INDEX halts_in_force ON decide.halts (scope, subject) WHERE lifted_at IS NULL;

RESET ROLE;
