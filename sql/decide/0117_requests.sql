-- What tells whether a start that comes again asks for the same: digests under a secret of the run, so that nobody who reads
-- them can try out inputs. Read by the deciders alone.
SET ROLE rok_decide_owner;

CREATE TABLE decide.requests (
  run_id uuid PRIMARY KEY REFERENCES decide.runs,
  -- NULL: erased; then no start is known to be the same.
  nonce rok.sha256_hex,
  -- By field of the spec, as decide.runs.request_digest is of the whole; NULL where the spec has no canonical form, or erased.
  field_digests jsonb CHECK (length(field_digests::text) <= 4096),
  CHECK (nonce IS NOT NULL OR field_digests IS NULL)
);
GRANT SELECT, INSERT ON decide.requests TO rok_decide;

-- An administrator erases as owner (docs/operations.md).
CREATE FUNCTION decide.only_forget() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF NEW.run_id IS DISTINCT FROM OLD.run_id OR NEW.nonce IS NOT NULL OR NEW.field_digests IS NOT NULL THEN
    RAISE EXCEPTION 'what a run was asked with is erased whole, and not changed' USING ERRCODE = '55000';
  END IF;
  RETURN NEW;
END $$;
COMMENT ON FUNCTION decide.only_forget() IS 'Trigger of decide.requests; called by nobody.';
CREATE TRIGGER only_forget BEFORE UPDATE ON decide.requests FOR EACH ROW EXECUTE FUNCTION decide.only_forget();
CREATE TRIGGER no_delete BEFORE DELETE ON decide.requests FOR EACH ROW EXECUTE FUNCTION rok.refuse_change();
CREATE TRIGGER no_truncate BEFORE TRUNCATE ON decide.requests FOR EACH STATEMENT EXECUTE FUNCTION rok.refuse_change();

RESET ROLE;
