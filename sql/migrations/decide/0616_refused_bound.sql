-- How much one run may be told of executions that claimed to be it: the verdict lists each, so they are bounded where they
-- are written. What is beyond is kept without its run, so that the execution is no stray, and is counted.
SET ROLE rok_decide_owner;

CREATE TABLE decide.refused_counts (
  run_id uuid PRIMARY KEY REFERENCES decide.runs,
  refused bigint NOT NULL CHECK (refused >= 1)
);

ALTER TABLE decide.refused_histories
  ADD CONSTRAINT refused_histories_temporal_run_id_check CHECK (length(temporal_run_id) <= 128),
  ADD CONSTRAINT refused_histories_workflow_id_check CHECK (length(workflow_id) <= 1000),
  ADD CONSTRAINT refused_histories_code_check CHECK (length(code) <= 64);

RESET ROLE;
