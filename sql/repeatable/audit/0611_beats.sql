-- Views and rights that belong to `migrations/audit/0611_beats.sql`.
SET ROLE rok_audit_owner;

GRANT SELECT, INSERT, UPDATE ON audit.beats TO rok_audit;

CREATE OR REPLACE VIEW audit.v_beats AS SELECT * FROM audit.beats;
GRANT SELECT ON audit.v_beats TO rok_decide, rok_read;

RESET ROLE;
