-- What was promised for each run before it began, and when the judge must look at it next.
SET ROLE rok_audit_owner;

CREATE TABLE audit.contracts (
  run_id uuid PRIMARY KEY,
  tenant text NOT NULL,
  agent text NOT NULL,
  profile text NOT NULL CHECK (profile IN ('STRICT', 'STANDARD', 'OBSERVE_ONLY')),
  declared_at timestamptz NOT NULL,
  declared_run_deadline timestamptz NOT NULL,
  declared_finalize_due timestamptz NOT NULL,
  expires_at timestamptz NOT NULL,
  -- Canonical JSON of the above with the expectations, and its digest: the root of the run's trace.
  bytes bytea NOT NULL,
  digest bytea NOT NULL CHECK (length(digest) = 32),
  -- In force, after amendments; moved by audit.amend only.
  run_deadline timestamptz NOT NULL,
  finalize_due timestamptz NOT NULL,
  -- NULL: judged, and nothing happened since.
  judge_after timestamptz,
  CHECK (run_deadline <= finalize_due AND finalize_due <= expires_at)
);
CREATE INDEX contracts_to_judge ON audit.contracts (judge_after) WHERE judge_after IS NOT NULL;
CREATE INDEX contracts_open ON audit.contracts (run_deadline) WHERE judge_after IS NOT NULL;
-- The rolling sample goes through all of them, oldest first.
CREATE INDEX contracts_by_age ON audit.contracts (declared_at, run_id);
CREATE INDEX contracts_by_tenant ON audit.contracts (tenant, declared_at DESC);
-- The audit worker reads; declare, amend, ack and judge write, as owner.
GRANT SELECT ON audit.contracts TO rok_audit;

CREATE FUNCTION audit.guard_contract() RETURNS trigger LANGUAGE plpgsql AS $$
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
CREATE TRIGGER guard_contract BEFORE UPDATE ON audit.contracts FOR EACH ROW EXECUTE FUNCTION audit.guard_contract();
CREATE TRIGGER no_delete BEFORE DELETE ON audit.contracts FOR EACH ROW EXECUTE FUNCTION rok.refuse_change();
CREATE TRIGGER no_truncate BEFORE TRUNCATE ON audit.contracts FOR EACH STATEMENT EXECUTE FUNCTION rok.refuse_change();

CREATE VIEW audit.v_contracts AS
  SELECT run_id, tenant, agent, profile, declared_at, declared_run_deadline, declared_finalize_due, run_deadline, finalize_due,
         expires_at, bytes, digest, judge_after
  FROM audit.contracts;
-- The deciders show it; observe's append binds the trace to its digest.
GRANT SELECT ON audit.v_contracts TO rok_audit, rok_decide, rok_decide_owner, rok_observe_owner, rok_read;

RESET ROLE;
