-- Functions, triggers, views and rights that belong to `migrations/audit/0602_checks.sql`.
SET ROLE rok_audit_owner;

GRANT SELECT, INSERT ON audit.approval_checks, audit.trace_checks, audit.altered TO rok_audit;

CREATE OR REPLACE TRIGGER append_only BEFORE UPDATE OR DELETE ON audit.approval_checks FOR EACH ROW EXECUTE FUNCTION rok.refuse_change();
CREATE OR REPLACE TRIGGER no_truncate BEFORE TRUNCATE ON audit.approval_checks FOR EACH STATEMENT EXECUTE FUNCTION rok.refuse_change();
CREATE OR REPLACE TRIGGER append_only BEFORE UPDATE OR DELETE ON audit.trace_checks FOR EACH ROW EXECUTE FUNCTION rok.refuse_change();
CREATE OR REPLACE TRIGGER no_truncate BEFORE TRUNCATE ON audit.trace_checks FOR EACH STATEMENT EXECUTE FUNCTION rok.refuse_change();
CREATE OR REPLACE TRIGGER append_only BEFORE UPDATE OR DELETE ON audit.altered FOR EACH ROW EXECUTE FUNCTION rok.refuse_change();
CREATE OR REPLACE TRIGGER no_truncate BEFORE TRUNCATE ON audit.altered FOR EACH STATEMENT EXECUTE FUNCTION rok.refuse_change();

-- A check that failed is news for the judge, also after a verdict.
CREATE OR REPLACE FUNCTION audit.recall_checked() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = audit, pg_temp AS $$
BEGIN
  UPDATE audit.contracts c SET judge_after = least(c.judge_after, clock_timestamp()) WHERE c.run_id = NEW.run_id;
  RETURN NULL;
END $$;
COMMENT ON FUNCTION audit.recall_checked() IS 'Trigger of audit''s checks, as owner because the audit login may not write contracts; called by nobody.';
CREATE OR REPLACE TRIGGER recall AFTER INSERT ON audit.approval_checks FOR EACH ROW WHEN (NOT NEW.ok) EXECUTE FUNCTION audit.recall_checked();
CREATE OR REPLACE TRIGGER recall AFTER INSERT ON audit.trace_checks FOR EACH ROW WHEN (NOT NEW.ok) EXECUTE FUNCTION audit.recall_checked();
CREATE OR REPLACE TRIGGER recall AFTER INSERT ON audit.altered FOR EACH ROW EXECUTE FUNCTION audit.recall_checked();

-- So is one that two acts of a run are of one person. A function of its own: one that names a column of NEW fails on every
-- table that lacks it, whatever stands before it in the same expression.
CREATE OR REPLACE FUNCTION audit.recall_one_person() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = audit, pg_temp AS $$
BEGIN
  UPDATE audit.contracts c SET judge_after = least(c.judge_after, clock_timestamp())
    WHERE c.run_id = NEW.run_id AND EXISTS (SELECT FROM audit.approval_checks k
      WHERE k.run_id = NEW.run_id AND k.person = NEW.person AND k.update_id <> NEW.update_id);
  RETURN NULL;
END $$;
COMMENT ON FUNCTION audit.recall_one_person() IS
  'Trigger of audit.approval_checks, as owner because the audit login may not write contracts; called by nobody.';
CREATE OR REPLACE TRIGGER recall_persons AFTER INSERT ON audit.approval_checks FOR EACH ROW WHEN (NEW.ok AND NEW.person IS NOT NULL)
  EXECUTE FUNCTION audit.recall_one_person();

CREATE OR REPLACE VIEW audit.v_approval_checks AS SELECT * FROM audit.approval_checks;
GRANT SELECT ON audit.v_approval_checks TO rok_read;

RESET ROLE;
