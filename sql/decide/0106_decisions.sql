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
GRANT SELECT, INSERT ON decide.decisions TO rok_decide;
-- The foreign key of execute.attempts.
GRANT REFERENCES ON decide.decisions TO rok_execute_owner;

CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON decide.decisions FOR EACH ROW EXECUTE FUNCTION rok.refuse_change();
CREATE TRIGGER no_truncate BEFORE TRUNCATE ON decide.decisions FOR EACH STATEMENT EXECUTE FUNCTION rok.refuse_change();

CREATE VIEW decide.v_decisions AS
  SELECT run_id, step, attempt, kind, target, access, effect, action_digest, request_digest, arguments_digest,
         context_digest, asked_output_tokens, not_after, snapshot_digest, policy_set_digest, price_table_digest,
         ARRAY(SELECT jsonb_array_elements_text(coalesce(body -> 'determining', '[]'))) AS determining,
         body -> 'reasons' AS reasons, body -> 'notices' AS notices, decided_at,
         -- What a pause asked of whom: the hold that it opened has the same.
         body #>> '{hold,reason}' AS hold_reason, body #>> '{hold,authority}' AS hold_authority, body #>> '{hold,quorum}' AS hold_quorum
  FROM decide.decisions;
GRANT SELECT ON decide.v_decisions TO rok_audit, rok_audit_owner, rok_read;

RESET ROLE;
