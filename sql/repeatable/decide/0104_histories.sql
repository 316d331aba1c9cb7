-- Functions, triggers, views and rights that belong to `migrations/decide/0104_histories.sql`.
SET ROLE rok_decide_owner;

GRANT SELECT, INSERT ON decide.histories, decide.refused_histories TO rok_decide;

CREATE OR REPLACE TRIGGER append_only BEFORE UPDATE OR DELETE ON decide.histories FOR EACH ROW EXECUTE FUNCTION rok.refuse_change();
CREATE OR REPLACE TRIGGER no_truncate BEFORE TRUNCATE ON decide.histories FOR EACH STATEMENT EXECUTE FUNCTION rok.refuse_change();
CREATE OR REPLACE TRIGGER append_only BEFORE UPDATE OR DELETE ON decide.refused_histories FOR EACH ROW EXECUTE FUNCTION rok.refuse_change();
CREATE OR REPLACE TRIGGER no_truncate BEFORE TRUNCATE ON decide.refused_histories FOR EACH STATEMENT EXECUTE FUNCTION rok.refuse_change();

CREATE OR REPLACE VIEW decide.v_histories AS SELECT * FROM decide.histories;
CREATE OR REPLACE VIEW decide.v_refused_histories AS SELECT * FROM decide.refused_histories;
GRANT SELECT ON decide.v_histories, decide.v_refused_histories TO rok_audit, rok_audit_owner, rok_read;

CREATE OR REPLACE FUNCTION decide.is_history(p_run uuid, p_temporal_run text) RETURNS boolean
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = decide, pg_temp AS $$
  SELECT EXISTS (SELECT FROM decide.runs r WHERE r.run_id = p_run AND r.temporal_run_id = p_temporal_run)
$$;
COMMENT ON FUNCTION decide.is_history(uuid, text) IS
  'Whether an execution is the run''s history. Called by the executors, who read no runs, before they write at the word of a workflow.';
GRANT EXECUTE ON FUNCTION decide.is_history(uuid, text) TO rok_execute;

RESET ROLE;
