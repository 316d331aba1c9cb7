-- PolicyEngine's record of the run.outcome decision: the evidence of the ack policies/evaluate_policy.
SET ROLE rok_execute_owner;

CREATE TABLE execute.evaluations (
  run_id uuid PRIMARY KEY,
  step integer NOT NULL,
  attempt integer NOT NULL,
  outcome text NOT NULL,
  at timestamptz NOT NULL DEFAULT clock_timestamp(),
  -- An evaluation of a decision that was never made cannot be written.
  FOREIGN KEY (run_id, step, attempt) REFERENCES decide.decisions (run_id, step, attempt)
);
GRANT SELECT, INSERT ON execute.evaluations TO rok_execute;

CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON execute.evaluations FOR EACH ROW EXECUTE FUNCTION rok.refuse_change();
CREATE TRIGGER no_truncate BEFORE TRUNCATE ON execute.evaluations FOR EACH STATEMENT EXECUTE FUNCTION rok.refuse_change();

CREATE VIEW execute.v_evaluations AS SELECT run_id, step, attempt, outcome, at FROM execute.evaluations;
GRANT SELECT ON execute.v_evaluations TO rok_audit, rok_audit_owner, rok_read;

RESET ROLE;
