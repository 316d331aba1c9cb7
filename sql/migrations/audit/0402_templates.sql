-- What must happen in every run. To make sure that X always happens: a row here, and an ack by whoever does X.
SET ROLE rok_audit_owner;

CREATE TABLE audit.templates (
  name text PRIMARY KEY CHECK (name ~ '^[a-z][a-z0-9_.-]{0,127}$'),
  tenant text NOT NULL DEFAULT '*',
  agent text NOT NULL DEFAULT '*',
  domain text NOT NULL CHECK (domain IN ('logs', 'policies', 'incidents', 'orchestrator')),
  action text NOT NULL CHECK (action ~ '^[a-z][a-z0-9_]{0,63}$'),
  condition text NOT NULL CHECK (condition IN ('always', 'if_failed')),
  due text NOT NULL CHECK (due IN ('open', 'finalize')),
  -- NOT NULL: an expectation without a due time could never be missed.
  due_after interval NOT NULL CHECK (due_after >= interval '0'),
  -- Nothing is due after finalize_due, so that one verdict then says all.
  CHECK (due = 'open' OR due_after = interval '0'),
  -- The liveness guarantee has no conditions.
  CHECK (action <> 'finalize_run' OR (condition = 'always' AND due = 'finalize'))
);
INSERT INTO audit.templates (name, domain, action, condition, due, due_after) VALUES
  ('start-trace', 'logs', 'start_trace', 'always', 'open', '30 seconds'),
  ('evaluate-policy', 'policies', 'evaluate_policy', 'always', 'finalize', '0'),
  ('create-incident', 'incidents', 'create_incident', 'if_failed', 'finalize', '0'),
  ('finalize-run', 'orchestrator', 'finalize_run', 'always', 'finalize', '0');
-- Written by an administrator as owner, as terms are.

RESET ROLE;
