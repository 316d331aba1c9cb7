-- Functions, triggers, views and rights that belong to `migrations/audit/0608_receipts.sql`.
SET ROLE rok_audit_owner;

-- The signer is the audit worker: it alone has the key.
GRANT SELECT, INSERT ON audit.receipts TO rok_audit;
GRANT SELECT, INSERT, UPDATE (n, hash) ON audit.receipt_heads TO rok_audit;

CREATE OR REPLACE TRIGGER append_only BEFORE UPDATE OR DELETE ON audit.receipts FOR EACH ROW EXECUTE FUNCTION rok.refuse_change();
CREATE OR REPLACE TRIGGER no_truncate BEFORE TRUNCATE ON audit.receipts FOR EACH STATEMENT EXECUTE FUNCTION rok.refuse_change();

CREATE OR REPLACE FUNCTION audit.guard_receipt_head() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF NEW.tenant <> OLD.tenant OR NEW.n <= OLD.n THEN
    RAISE EXCEPTION 'append-only: the head of a chain of receipts only goes forward' USING ERRCODE = '55000';
  END IF;
  RETURN NEW;
END $$;
COMMENT ON FUNCTION audit.guard_receipt_head() IS 'Trigger of audit.receipt_heads; called by nobody.';
CREATE OR REPLACE TRIGGER guard_head BEFORE UPDATE ON audit.receipt_heads FOR EACH ROW EXECUTE FUNCTION audit.guard_receipt_head();
CREATE OR REPLACE TRIGGER no_delete BEFORE DELETE ON audit.receipt_heads FOR EACH ROW EXECUTE FUNCTION rok.refuse_change();
CREATE OR REPLACE TRIGGER no_truncate BEFORE TRUNCATE ON audit.receipt_heads FOR EACH STATEMENT EXECUTE FUNCTION rok.refuse_change();

CREATE OR REPLACE VIEW audit.v_receipts AS SELECT * FROM audit.receipts;
GRANT SELECT ON audit.v_receipts TO rok_audit, rok_decide, rok_decide_owner, rok_read;

RESET ROLE;
