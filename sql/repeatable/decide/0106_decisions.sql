-- Triggers, views and rights that belong to `migrations/decide/0106_decisions.sql`.
SET ROLE rok_decide_owner;

GRANT SELECT, INSERT ON decide.decisions TO rok_decide;
-- The foreign key of execute.attempts.
GRANT REFERENCES ON decide.decisions TO rok_execute_owner;

CREATE OR REPLACE TRIGGER append_only BEFORE UPDATE OR DELETE ON decide.decisions FOR EACH ROW EXECUTE FUNCTION rok.refuse_change();
CREATE OR REPLACE TRIGGER no_truncate BEFORE TRUNCATE ON decide.decisions FOR EACH STATEMENT EXECUTE FUNCTION rok.refuse_change();

CREATE OR REPLACE VIEW decide.v_decisions AS
  SELECT run_id, step, attempt, kind, target, access, effect, action_digest, request_digest, arguments_digest,
         context_digest, asked_output_tokens, not_after, snapshot_digest, policy_set_digest, price_table_digest,
         ARRAY(SELECT jsonb_array_elements_text(coalesce(body -> 'determining', '[]'))) AS determining,
         body -> 'reasons' AS reasons, body -> 'notices' AS notices, decided_at,
         -- What a pause asked of whom: the hold that it opened has the same.
         body #>> '{hold,reason}' AS hold_reason, body #>> '{hold,authority}' AS hold_authority, body #>> '{hold,quorum}' AS hold_quorum
  FROM decide.decisions;
GRANT SELECT ON decide.v_decisions TO rok_audit, rok_audit_owner, rok_read;

RESET ROLE;
