-- Triggers, views and rights that belong to `migrations/audit/0406_acks.sql`.
SET ROLE rok_audit_owner;

GRANT SELECT ON audit.acks TO rok_audit;
CREATE OR REPLACE TRIGGER append_only BEFORE UPDATE OR DELETE ON audit.acks FOR EACH ROW EXECUTE FUNCTION rok.refuse_change();
CREATE OR REPLACE TRIGGER no_truncate BEFORE TRUNCATE ON audit.acks FOR EACH STATEMENT EXECUTE FUNCTION rok.refuse_change();

CREATE OR REPLACE VIEW audit.v_acks AS SELECT * FROM audit.acks;
GRANT SELECT ON audit.v_acks TO rok_audit, rok_decide, rok_decide_owner, rok_read;

RESET ROLE;
