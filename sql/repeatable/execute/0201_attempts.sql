-- Triggers, views and rights that belong to `migrations/execute/0201_attempts.sql`.
SET ROLE rok_execute_owner;

-- decide.redeem is the only writer; rok_execute itself may not insert, so it cannot begin what was not allowed.
GRANT INSERT ON execute.attempts TO rok_decide_owner;

CREATE OR REPLACE TRIGGER append_only BEFORE UPDATE OR DELETE ON execute.attempts FOR EACH ROW EXECUTE FUNCTION rok.refuse_change();
CREATE OR REPLACE TRIGGER no_truncate BEFORE TRUNCATE ON execute.attempts FOR EACH STATEMENT EXECUTE FUNCTION rok.refuse_change();

CREATE OR REPLACE VIEW execute.v_attempts AS
  SELECT run_id, step, attempt, action_digest, effect, nonce, started_at FROM execute.attempts;
-- Decide settles from it, the audit judges it, operators read it.
GRANT SELECT ON execute.v_attempts TO rok_decide, rok_decide_owner, rok_audit, rok_audit_owner, rok_read;

RESET ROLE;
