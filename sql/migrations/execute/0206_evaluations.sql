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

RESET ROLE;
