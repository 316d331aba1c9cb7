-- One promise each: who (domain) must do what (action), on which condition, by when.
SET ROLE rok_audit_owner;

CREATE TABLE audit.expectations (
  run_id uuid NOT NULL REFERENCES audit.contracts,
  n integer NOT NULL CHECK (n >= 1),
  domain text NOT NULL,
  action text NOT NULL,
  condition text NOT NULL CHECK (condition IN ('always', 'if_failed')),
  due text NOT NULL CHECK (due IN ('open', 'finalize')),
  -- As declared; what is due at the finalize moves with the contract.
  due_at timestamptz NOT NULL,
  PRIMARY KEY (run_id, n),
  UNIQUE (run_id, domain, action)
);
GRANT SELECT ON audit.expectations TO rok_audit;
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON audit.expectations FOR EACH ROW EXECUTE FUNCTION rok.refuse_change();
CREATE TRIGGER no_truncate BEFORE TRUNCATE ON audit.expectations FOR EACH STATEMENT EXECUTE FUNCTION rok.refuse_change();

CREATE VIEW audit.v_expectations AS
  SELECT e.run_id, e.n, e.domain, e.action, e.condition,
         CASE e.due WHEN 'finalize' THEN c.finalize_due ELSE e.due_at END AS due_at, e.due, e.due_at AS declared_due_at
  FROM audit.expectations e JOIN audit.contracts c USING (run_id);
GRANT SELECT ON audit.v_expectations TO rok_audit, rok_decide, rok_decide_owner, rok_read;

RESET ROLE;
