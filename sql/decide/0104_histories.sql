-- Which Temporal executions were the history of a run, and which were refused to be.
SET ROLE rok_decide_owner;

CREATE TABLE decide.histories (
  run_id uuid NOT NULL REFERENCES decide.runs,
  temporal_run_id text NOT NULL,
  workflow_id text NOT NULL,
  reason text NOT NULL CHECK (reason IN ('open', 'continued', 'repair')),
  since timestamptz NOT NULL DEFAULT clock_timestamp(),
  PRIMARY KEY (run_id, temporal_run_id)
);
CREATE TABLE decide.refused_histories (
  workflow_id text NOT NULL,
  temporal_run_id text NOT NULL,
  -- The run that it claimed to be, where that is known.
  run_id uuid REFERENCES decide.runs,
  code text NOT NULL,
  at timestamptz NOT NULL DEFAULT clock_timestamp(),
  PRIMARY KEY (workflow_id, temporal_run_id)
);
CREATE INDEX refused_histories_by_run ON decide.refused_histories (run_id);
-- The audit looks for new ones at every sweep.
CREATE INDEX refused_histories_by_time ON decide.refused_histories (at);
GRANT SELECT, INSERT ON decide.histories, decide.refused_histories TO rok_decide;

CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON decide.histories FOR EACH ROW EXECUTE FUNCTION rok.refuse_change();
CREATE TRIGGER no_truncate BEFORE TRUNCATE ON decide.histories FOR EACH STATEMENT EXECUTE FUNCTION rok.refuse_change();
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON decide.refused_histories FOR EACH ROW EXECUTE FUNCTION rok.refuse_change();
CREATE TRIGGER no_truncate BEFORE TRUNCATE ON decide.refused_histories FOR EACH STATEMENT EXECUTE FUNCTION rok.refuse_change();

CREATE VIEW decide.v_histories AS SELECT * FROM decide.histories;
CREATE VIEW decide.v_refused_histories AS SELECT * FROM decide.refused_histories;
GRANT SELECT ON decide.v_histories, decide.v_refused_histories TO rok_audit, rok_audit_owner, rok_read;

CREATE FUNCTION decide.is_history(p_run uuid, p_temporal_run text) RETURNS boolean
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = decide, pg_temp AS $$
  SELECT EXISTS (SELECT FROM decide.runs r WHERE r.run_id = p_run AND r.temporal_run_id = p_temporal_run)
$$;
COMMENT ON FUNCTION decide.is_history(uuid, text) IS
  'Whether an execution is the run''s history. Called by the executors, who read no runs, before they write at the word of a workflow.';
GRANT EXECUTE ON FUNCTION decide.is_history(uuid, text) TO rok_execute;

RESET ROLE;
