-- Functions, triggers, views and rights that belong to `migrations/observe/0301_heads.sql`.
SET ROLE rok_observe_owner;

-- A head goes forward one event at a time and is closed once.
CREATE OR REPLACE FUNCTION observe.guard_head() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF NEW.run_id <> OLD.run_id OR NEW.length < OLD.length OR OLD.closed_at IS NOT NULL THEN
    RAISE EXCEPTION 'append-only: a head only goes forward, and not after it was closed' USING ERRCODE = '55000';
  END IF;
  RETURN NEW;
END $$;
COMMENT ON FUNCTION observe.guard_head() IS 'Trigger of observe.heads; called by nobody.';
-- Asked only where it would refuse.
CREATE OR REPLACE TRIGGER guard_head BEFORE UPDATE ON observe.heads FOR EACH ROW
  WHEN (NEW.run_id <> OLD.run_id OR NEW.length < OLD.length OR OLD.closed_at IS NOT NULL) EXECUTE FUNCTION observe.guard_head();
CREATE OR REPLACE TRIGGER no_delete BEFORE DELETE ON observe.heads FOR EACH ROW EXECUTE FUNCTION rok.refuse_change();
CREATE OR REPLACE TRIGGER no_truncate BEFORE TRUNCATE ON observe.heads FOR EACH STATEMENT EXECUTE FUNCTION rok.refuse_change();

CREATE OR REPLACE VIEW observe.v_heads AS SELECT * FROM observe.heads;
-- The deciders show how far the trace is; the judge holds it against the events.
GRANT SELECT ON observe.v_heads TO rok_decide, rok_audit, rok_audit_owner, rok_read;

RESET ROLE;
