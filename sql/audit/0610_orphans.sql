-- Runs that are not over although Temporal says their workflow is closed or gone: what the deciders repair.
SET ROLE rok_audit_owner;

CREATE TABLE audit.orphans (
  run_id uuid PRIMARY KEY REFERENCES audit.contracts,
  found_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  -- As Temporal said: `TERMINATED`, `FAILED`, …, or `NOT_FOUND`.
  status text NOT NULL CHECK (length(status) BETWEEN 1 AND 64)
);
GRANT SELECT, INSERT ON audit.orphans TO rok_audit;
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON audit.orphans FOR EACH ROW EXECUTE FUNCTION rok.refuse_change();
CREATE TRIGGER no_truncate BEFORE TRUNCATE ON audit.orphans FOR EACH STATEMENT EXECUTE FUNCTION rok.refuse_change();

CREATE VIEW audit.v_orphans AS SELECT * FROM audit.orphans;
-- The control worker polls it and starts `repair`.
GRANT SELECT ON audit.v_orphans TO rok_audit, rok_decide, rok_decide_owner, rok_read;

RESET ROLE;
