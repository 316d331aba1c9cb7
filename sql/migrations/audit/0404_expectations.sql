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

RESET ROLE;
