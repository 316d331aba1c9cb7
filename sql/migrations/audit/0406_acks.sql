-- What the acting power says it did, pointing at the row that shows it. The judge opens the row.
SET ROLE rok_audit_owner;

CREATE TABLE audit.acks (
  run_id uuid NOT NULL REFERENCES audit.contracts,
  n integer NOT NULL CHECK (n >= 1),
  domain text NOT NULL CHECK (length(domain) BETWEEN 1 AND 64),
  action text NOT NULL CHECK (action ~ '^[a-z][a-z0-9_]{0,63}$'),
  status text NOT NULL CHECK (status IN ('done', 'failed', 'rolled_back')),
  evidence jsonb NOT NULL CHECK (jsonb_typeof(evidence) = 'object' AND length(evidence::text) <= 4096),
  -- The login that said so.
  by text NOT NULL,
  at timestamptz NOT NULL,
  PRIMARY KEY (run_id, n)
);

RESET ROLE;
