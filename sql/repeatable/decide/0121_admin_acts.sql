-- Triggers, views and rights that belong to `migrations/decide/0121_admin_acts.sql`.
SET ROLE rok_decide_owner;

GRANT SELECT, INSERT ON decide.admin_acts TO rok_decide;
CREATE OR REPLACE TRIGGER append_only BEFORE UPDATE OR DELETE ON decide.admin_acts FOR EACH ROW EXECUTE FUNCTION rok.refuse_change();
CREATE OR REPLACE TRIGGER no_truncate BEFORE TRUNCATE ON decide.admin_acts FOR EACH STATEMENT EXECUTE FUNCTION rok.refuse_change();

CREATE OR REPLACE VIEW decide.v_admin_acts AS SELECT * FROM decide.admin_acts;
-- Operators; no run's verdict depends on them.
GRANT SELECT ON decide.v_admin_acts TO rok_read;

RESET ROLE;
