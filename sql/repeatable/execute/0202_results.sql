-- Triggers, views and rights that belong to `migrations/execute/0202_results.sql`.
SET ROLE rok_execute_owner;

GRANT EXECUTE ON FUNCTION execute.result_digest TO rok_execute;
-- The executor writes the end, and reads which row stands when its own came too late.
GRANT SELECT, INSERT ON execute.results TO rok_execute;

CREATE OR REPLACE TRIGGER append_only BEFORE UPDATE OR DELETE ON execute.results FOR EACH ROW EXECUTE FUNCTION rok.refuse_change();
CREATE OR REPLACE TRIGGER no_truncate BEFORE TRUNCATE ON execute.results FOR EACH STATEMENT EXECUTE FUNCTION rok.refuse_change();

CREATE OR REPLACE VIEW execute.v_results AS
  SELECT run_id, step, attempt, status, content_digest, input_tokens, output_tokens, cached_tokens, reasoning_tokens,
         usage_reported, code, retry_after_ms, cause, reported_model, finish_reason, digest, finished_at
  FROM execute.results;
-- Decide settles from it, the audit judges it, operators read it.
GRANT SELECT ON execute.v_results TO rok_decide, rok_decide_owner, rok_audit, rok_audit_owner, rok_read;

RESET ROLE;
