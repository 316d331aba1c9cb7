-- What actors asked for and were refused, counted: anybody who reaches Temporal can ask without end. The first of equal ones is an
-- act (0109_holds.sql), as long as there are fewer than 256; what comes after that is counted as `others`.
SET ROLE rok_decide_owner;

CREATE TABLE decide.refusals (
  run_id uuid NOT NULL REFERENCES decide.runs,
  -- Of verb, actor, hold and reason; or `others`.
  equal text NOT NULL CHECK (equal ~ '^([0-9a-f]{64}|others)$'),
  times bigint NOT NULL DEFAULT 1 CHECK (times >= 1),
  first_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  last_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  -- So that who asked last finds its answer, and a second try is not counted again.
  last_update_id text NOT NULL CHECK (length(last_update_id) BETWEEN 1 AND 256),
  last_reason text NOT NULL CHECK (length(last_reason) <= 2000),
  PRIMARY KEY (run_id, equal)
);

RESET ROLE;
