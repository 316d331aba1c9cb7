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
-- decide.redeem is the only writer; rok_execute itself may not insert, so it cannot begin what was not allowed.
GRANT INSERT ON execute.attempts TO rok_decide_owner;

CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON execute.attempts FOR EACH ROW EXECUTE FUNCTION rok.refuse_change();
CREATE TRIGGER no_truncate BEFORE TRUNCATE ON execute.attempts FOR EACH STATEMENT EXECUTE FUNCTION rok.refuse_change();

CREATE VIEW execute.v_attempts AS
  SELECT run_id, step, attempt, action_digest, effect, nonce, started_at FROM execute.attempts;
-- Decide settles from it, the audit judges it, operators read it.
GRANT SELECT ON execute.v_attempts TO rok_decide, rok_decide_owner, rok_audit, rok_audit_owner, rok_read;

RESET ROLE;
