-- Triggers, views and rights that belong to `migrations/audit/0630_keys.sql`.
SET ROLE rok_audit_owner;

-- The audit worker enters its own at the start.
GRANT SELECT, INSERT ON audit.keys TO rok_audit;
CREATE OR REPLACE TRIGGER append_only BEFORE UPDATE OR DELETE ON audit.keys FOR EACH ROW EXECUTE FUNCTION rok.refuse_change();
CREATE OR REPLACE TRIGGER no_truncate BEFORE TRUNCATE ON audit.keys FOR EACH STATEMENT EXECUTE FUNCTION rok.refuse_change();

CREATE OR REPLACE VIEW audit.v_keys AS SELECT * FROM audit.keys;
GRANT SELECT ON audit.v_keys TO rok_audit, rok_read;

-- Heads of the chains: for whoever writes them outside, and for whoever holds an outside copy against them.
CREATE OR REPLACE VIEW audit.v_receipt_heads AS SELECT * FROM audit.receipt_heads;
GRANT SELECT ON audit.v_receipt_heads TO rok_read;

RESET ROLE;
