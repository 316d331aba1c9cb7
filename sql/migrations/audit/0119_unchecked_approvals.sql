-- Approvals of which nothing can be said yet, because their key or their issuer is not known to the audit: that may be a
-- rotation under way. Tried again, and a finding after a day (src/audit/evidence/approval-checks.ts).
SET ROLE rok_audit_owner;

CREATE TABLE audit.unchecked_approvals (
  run_id uuid NOT NULL,
  update_id text NOT NULL,
  why text NOT NULL CHECK (length(why) <= 500),
  since timestamptz NOT NULL DEFAULT clock_timestamp(),
  again_at timestamptz NOT NULL DEFAULT clock_timestamp() + interval '1 minute',
  PRIMARY KEY (run_id, update_id)
);
CREATE INDEX unchecked_approvals_by_turn ON audit.unchecked_approvals (again_at);

RESET ROLE;
