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

RESET ROLE;
