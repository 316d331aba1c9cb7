-- Triggers, views and rights that belong to `migrations/audit/0405_amendments.sql`.
SET ROLE rok_audit_owner;

GRANT SELECT ON audit.amendments TO rok_audit;
CREATE OR REPLACE TRIGGER append_only BEFORE UPDATE OR DELETE ON audit.amendments FOR EACH ROW EXECUTE FUNCTION rok.refuse_change();
CREATE OR REPLACE TRIGGER no_truncate BEFORE TRUNCATE ON audit.amendments FOR EACH STATEMENT EXECUTE FUNCTION rok.refuse_change();

CREATE OR REPLACE VIEW audit.v_amendments AS SELECT * FROM audit.amendments;
GRANT SELECT ON audit.v_amendments TO rok_audit, rok_decide, rok_read;

RESET ROLE;
