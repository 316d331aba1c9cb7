-- Triggers, views and rights that belong to `migrations/execute/0206_evaluations.sql`.
SET ROLE rok_execute_owner;

GRANT SELECT, INSERT ON execute.evaluations TO rok_execute;

CREATE OR REPLACE TRIGGER append_only BEFORE UPDATE OR DELETE ON execute.evaluations FOR EACH ROW EXECUTE FUNCTION rok.refuse_change();
CREATE OR REPLACE TRIGGER no_truncate BEFORE TRUNCATE ON execute.evaluations FOR EACH STATEMENT EXECUTE FUNCTION rok.refuse_change();

CREATE OR REPLACE VIEW execute.v_evaluations AS SELECT run_id, step, attempt, outcome, at FROM execute.evaluations;
GRANT SELECT ON execute.v_evaluations TO rok_audit, rok_audit_owner, rok_read;

RESET ROLE;
