-- Whole decisions, to be shown: ruling with its reasons, grant or hold, determining rules, errors and notices. No content.
SET ROLE rok_decide_owner;

CREATE OR REPLACE VIEW decide.v_rulings AS
  SELECT d.run_id, d.step, d.attempt, d.kind, d.target, d.effect, d.action_digest, d.snapshot_digest, d.policy_set_digest,
         d.price_table_digest, d.decided_at, d.body
  FROM decide.decisions d;
-- Operators; and audit's owner for the view that a tenant's auditor reads.
GRANT SELECT ON decide.v_rulings TO rok_read, rok_audit_owner;

RESET ROLE;
