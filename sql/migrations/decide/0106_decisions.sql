-- Every answer ever given, written once. An attempt references the allow it was made under.
SET ROLE rok_decide_owner;

CREATE TABLE decide.decisions (
  run_id uuid NOT NULL REFERENCES decide.runs,
  step rok.whole NOT NULL,
  attempt rok.ordinal NOT NULL,
  kind rok.intent_kind NOT NULL,
  target text NOT NULL,
  access rok.access,
  effect rok.effect NOT NULL,
  action_digest rok.sha256_hex NOT NULL,
  request_digest rok.sha256_hex NOT NULL,
  arguments_digest text NOT NULL,
  context_digest text NOT NULL,
  asked_output_tokens rok.whole,
  not_after timestamptz,
  snapshot_digest text NOT NULL,
  policy_set_digest text NOT NULL,
  price_table_digest text NOT NULL,
  -- The whole decision but for the intent, as the workflow was told.
  body jsonb NOT NULL,
  decided_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  PRIMARY KEY (run_id, step, attempt),
  -- What execute.attempts references: all NOT NULL, because a composite key with a NULL in it is not checked.
  UNIQUE (run_id, step, attempt, action_digest, effect),
  CHECK ((effect = 'allow') = (not_after IS NOT NULL))
);
CREATE UNIQUE INDEX one_start ON decide.decisions (run_id) WHERE kind = 'run.start' AND effect <> 'pause';
CREATE UNIQUE INDEX one_outcome ON decide.decisions (run_id) WHERE kind = 'run.outcome';
-- The foreign key of execute.attempts.
GRANT REFERENCES ON decide.decisions TO rok_execute_owner;

RESET ROLE;
