-- Triggers, views and rights that belong to `migrations/audit/0610_orphans.sql`.
SET ROLE rok_audit_owner;

GRANT SELECT, INSERT ON audit.orphans TO rok_audit;
CREATE OR REPLACE TRIGGER append_only BEFORE UPDATE OR DELETE ON audit.orphans FOR EACH ROW EXECUTE FUNCTION rok.refuse_change();
CREATE OR REPLACE TRIGGER no_truncate BEFORE TRUNCATE ON audit.orphans FOR EACH STATEMENT EXECUTE FUNCTION rok.refuse_change();

CREATE OR REPLACE VIEW audit.v_orphans AS SELECT * FROM audit.orphans;
-- The control worker polls it and starts `repair`.
GRANT SELECT ON audit.v_orphans TO rok_audit, rok_decide, rok_decide_owner, rok_read;

RESET ROLE;
