-- Functions, triggers, views and rights that belong to `migrations/audit/0403_contracts.sql`.
SET ROLE rok_audit_owner;

-- The audit worker reads; declare, amend, ack and judge write, as owner.
GRANT SELECT ON audit.contracts TO rok_audit;

CREATE OR REPLACE FUNCTION audit.guard_contract() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF (NEW.run_id, NEW.tenant, NEW.agent, NEW.profile, NEW.declared_at, NEW.declared_run_deadline, NEW.declared_finalize_due,
      NEW.expires_at, NEW.bytes, NEW.digest)
     IS DISTINCT FROM
     (OLD.run_id, OLD.tenant, OLD.agent, OLD.profile, OLD.declared_at, OLD.declared_run_deadline, OLD.declared_finalize_due,
      OLD.expires_at, OLD.bytes, OLD.digest) THEN
    RAISE EXCEPTION 'append-only: what was declared for run % stands', OLD.run_id USING ERRCODE = '55000';
  END IF;
  RETURN NEW;
END $$;
COMMENT ON FUNCTION audit.guard_contract() IS 'Trigger of audit.contracts; called by nobody.';
CREATE OR REPLACE TRIGGER guard_contract BEFORE UPDATE ON audit.contracts FOR EACH ROW EXECUTE FUNCTION audit.guard_contract();
CREATE OR REPLACE TRIGGER no_delete BEFORE DELETE ON audit.contracts FOR EACH ROW EXECUTE FUNCTION rok.refuse_change();
CREATE OR REPLACE TRIGGER no_truncate BEFORE TRUNCATE ON audit.contracts FOR EACH STATEMENT EXECUTE FUNCTION rok.refuse_change();

CREATE OR REPLACE VIEW audit.v_contracts AS
  SELECT run_id, tenant, agent, profile, declared_at, declared_run_deadline, declared_finalize_due, run_deadline, finalize_due,
         expires_at, bytes, digest, judge_after
  FROM audit.contracts;
-- The deciders show it; observe's append binds the trace to its digest.
GRANT SELECT ON audit.v_contracts TO rok_audit, rok_decide, rok_decide_owner, rok_observe_owner, rok_read;

RESET ROLE;
