-- What was begun, one row per redeemed warrant, before the call.
SET ROLE rok_execute_owner;

CREATE TABLE execute.attempts (
  run_id uuid NOT NULL,
  step integer NOT NULL,
  attempt integer NOT NULL,
  action_digest text NOT NULL,
  effect text NOT NULL DEFAULT 'allow' CHECK (effect = 'allow'),
  nonce uuid NOT NULL,
  started_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  PRIMARY KEY (run_id, step, attempt),
  -- No attempt without an allow for exactly this action. All columns are NOT NULL: a key with a NULL in it is not checked.
  FOREIGN KEY (run_id, step, attempt, action_digest, effect)
    REFERENCES decide.decisions (run_id, step, attempt, action_digest, effect)
);

RESET ROLE;
