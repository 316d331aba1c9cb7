-- Functions, triggers and rights that belong to `migrations/decide/0117_requests.sql`.
SET ROLE rok_decide_owner;

GRANT SELECT, INSERT ON decide.requests TO rok_decide;

-- An administrator erases as owner (docs/operations.md).
CREATE OR REPLACE FUNCTION decide.only_forget() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF NEW.run_id IS DISTINCT FROM OLD.run_id OR NEW.nonce IS NOT NULL OR NEW.field_digests IS NOT NULL THEN
    RAISE EXCEPTION 'what a run was asked with is erased whole, and not changed' USING ERRCODE = '55000';
  END IF;
  RETURN NEW;
END $$;
COMMENT ON FUNCTION decide.only_forget() IS 'Trigger of decide.requests; called by nobody.';
CREATE OR REPLACE TRIGGER only_forget BEFORE UPDATE ON decide.requests FOR EACH ROW EXECUTE FUNCTION decide.only_forget();
CREATE OR REPLACE TRIGGER no_delete BEFORE DELETE ON decide.requests FOR EACH ROW EXECUTE FUNCTION rok.refuse_change();
CREATE OR REPLACE TRIGGER no_truncate BEFORE TRUNCATE ON decide.requests FOR EACH STATEMENT EXECUTE FUNCTION rok.refuse_change();

RESET ROLE;
