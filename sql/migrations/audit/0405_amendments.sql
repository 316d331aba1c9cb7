-- Why a contract's deadlines moved: the hold, and the decision that caused it.
SET ROLE rok_audit_owner;

CREATE TABLE audit.amendments (
  run_id uuid NOT NULL REFERENCES audit.contracts,
  n integer NOT NULL CHECK (n >= 1),
  step integer,
  attempt integer,
  hold integer,
  reason text NOT NULL CHECK (length(reason) BETWEEN 1 AND 128),
  -- While the hold is open, as far as it is known: once opened until its deadline, once ended until then. What all of them
  -- came to stands beside it.
  open_from timestamptz NOT NULL,
  open_until timestamptz NOT NULL,
  run_deadline timestamptz NOT NULL,
  finalize_due timestamptz NOT NULL,
  at timestamptz NOT NULL,
  PRIMARY KEY (run_id, n),
  UNIQUE NULLS NOT DISTINCT (run_id, hold, reason)
);

RESET ROLE;
