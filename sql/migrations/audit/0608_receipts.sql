-- Signed verdicts, numbered and chained per tenant.
SET ROLE rok_audit_owner;

CREATE TABLE audit.receipt_heads (
  -- `-` for strays: no tenant is called that, and none answers for them.
  tenant text PRIMARY KEY,
  n bigint NOT NULL CHECK (n >= 0),
  hash bytea NOT NULL CHECK (length(hash) = 32)
);
CREATE TABLE audit.receipts (
  tenant text NOT NULL REFERENCES audit.receipt_heads,
  n bigint NOT NULL CHECK (n >= 1),
  run_id uuid NOT NULL,
  revision integer NOT NULL,
  jws text NOT NULL CHECK (length(jws) <= 10000000),
  -- Of this receipt, and of number n - 1; 32 zero bytes before the first.
  hash bytea NOT NULL CHECK (length(hash) = 32),
  prev bytea NOT NULL CHECK (length(prev) = 32),
  signed_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  PRIMARY KEY (tenant, n),
  UNIQUE (run_id, revision),
  FOREIGN KEY (run_id, revision) REFERENCES audit.verdicts
);

RESET ROLE;
