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
-- The signer is the audit worker: it alone has the key.
GRANT SELECT, INSERT ON audit.receipts TO rok_audit;
GRANT SELECT, INSERT, UPDATE (n, hash) ON audit.receipt_heads TO rok_audit;

CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON audit.receipts FOR EACH ROW EXECUTE FUNCTION rok.refuse_change();
CREATE TRIGGER no_truncate BEFORE TRUNCATE ON audit.receipts FOR EACH STATEMENT EXECUTE FUNCTION rok.refuse_change();

CREATE FUNCTION audit.guard_receipt_head() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF NEW.tenant <> OLD.tenant OR NEW.n <= OLD.n THEN
    RAISE EXCEPTION 'append-only: the head of a chain of receipts only goes forward' USING ERRCODE = '55000';
  END IF;
  RETURN NEW;
END $$;
COMMENT ON FUNCTION audit.guard_receipt_head() IS 'Trigger of audit.receipt_heads; called by nobody.';
CREATE TRIGGER guard_head BEFORE UPDATE ON audit.receipt_heads FOR EACH ROW EXECUTE FUNCTION audit.guard_receipt_head();
CREATE TRIGGER no_delete BEFORE DELETE ON audit.receipt_heads FOR EACH ROW EXECUTE FUNCTION rok.refuse_change();
CREATE TRIGGER no_truncate BEFORE TRUNCATE ON audit.receipt_heads FOR EACH STATEMENT EXECUTE FUNCTION rok.refuse_change();

CREATE VIEW audit.v_receipts AS SELECT * FROM audit.receipts;
GRANT SELECT ON audit.v_receipts TO rok_audit, rok_decide, rok_decide_owner, rok_read;

RESET ROLE;
