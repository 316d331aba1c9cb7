-- Functions, triggers, views and rights that belong to `migrations/decide/0109_holds.sql`.
SET ROLE rok_decide_owner;

GRANT SELECT, INSERT ON decide.holds TO rok_decide;
-- When it ended the database says.
GRANT UPDATE (resolution) ON decide.holds TO rok_decide;

CREATE OR REPLACE FUNCTION decide.keep_resolution() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF OLD.resolution IS NOT NULL THEN
    RAISE EXCEPTION 'hold % is resolved: the first resolution stands', OLD.hold USING ERRCODE = '55000';
  END IF;
  IF NEW.resolution IS NOT NULL THEN
    NEW.resolved_at := clock_timestamp();
  END IF;
  RETURN NEW;
END $$;
COMMENT ON FUNCTION decide.keep_resolution() IS 'Trigger of decide.holds; called by nobody.';
CREATE OR REPLACE TRIGGER keep_resolution BEFORE UPDATE ON decide.holds FOR EACH ROW EXECUTE FUNCTION decide.keep_resolution();
CREATE OR REPLACE TRIGGER no_delete BEFORE DELETE ON decide.holds FOR EACH ROW EXECUTE FUNCTION rok.refuse_change();
CREATE OR REPLACE TRIGGER no_truncate BEFORE TRUNCATE ON decide.holds FOR EACH STATEMENT EXECUTE FUNCTION rok.refuse_change();
GRANT SELECT, INSERT ON decide.acts TO rok_decide;
CREATE OR REPLACE TRIGGER append_only BEFORE UPDATE OR DELETE ON decide.acts FOR EACH ROW EXECUTE FUNCTION rok.refuse_change();
CREATE OR REPLACE TRIGGER no_truncate BEFORE TRUNCATE ON decide.acts FOR EACH STATEMENT EXECUTE FUNCTION rok.refuse_change();

CREATE OR REPLACE VIEW decide.v_holds AS SELECT * FROM decide.holds;
CREATE OR REPLACE VIEW decide.v_acts AS SELECT * FROM decide.acts;
GRANT SELECT ON decide.v_holds, decide.v_acts TO rok_audit, rok_audit_owner, rok_read;

RESET ROLE;
