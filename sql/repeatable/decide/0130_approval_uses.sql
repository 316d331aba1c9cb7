-- Triggers, views and rights that belong to `migrations/decide/0130_approval_uses.sql`.
SET ROLE rok_decide_owner;

CREATE OR REPLACE TRIGGER append_only BEFORE UPDATE OR DELETE ON decide.approval_uses FOR EACH ROW EXECUTE FUNCTION rok.refuse_change();
CREATE OR REPLACE TRIGGER no_truncate BEFORE TRUNCATE ON decide.approval_uses FOR EACH STATEMENT EXECUTE FUNCTION rok.refuse_change();

CREATE OR REPLACE VIEW decide.v_approval_uses AS SELECT run_id, hold, step, attempt, used_at FROM decide.approval_uses;
GRANT SELECT ON decide.v_approval_uses TO rok_audit, rok_audit_owner, rok_read;

RESET ROLE;
