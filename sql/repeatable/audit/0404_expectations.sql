-- Triggers, views and rights that belong to `migrations/audit/0404_expectations.sql`.
SET ROLE rok_audit_owner;

GRANT SELECT ON audit.expectations TO rok_audit;
CREATE OR REPLACE TRIGGER append_only BEFORE UPDATE OR DELETE ON audit.expectations FOR EACH ROW EXECUTE FUNCTION rok.refuse_change();
CREATE OR REPLACE TRIGGER no_truncate BEFORE TRUNCATE ON audit.expectations FOR EACH STATEMENT EXECUTE FUNCTION rok.refuse_change();

CREATE OR REPLACE VIEW audit.v_expectations AS
  SELECT e.run_id, e.n, e.domain, e.action, e.condition,
         CASE e.due WHEN 'finalize' THEN c.finalize_due ELSE e.due_at END AS due_at, e.due, e.due_at AS declared_due_at
  FROM audit.expectations e JOIN audit.contracts c USING (run_id);
GRANT SELECT ON audit.v_expectations TO rok_audit, rok_decide, rok_decide_owner, rok_read;

RESET ROLE;
