-- What the audit worker verified by itself, as rows that the judge reads: signatures of approvals, hashes of traces.
SET ROLE rok_audit_owner;

CREATE TABLE audit.approval_checks (
  run_id uuid NOT NULL,
  update_id text NOT NULL,
  -- Who it was, derived by the audit from the assertion as stored, or from the local name; NULL where that cannot be said.
  person uuid REFERENCES audit.persons,
  ok boolean NOT NULL,
  detail text NOT NULL CHECK (length(detail) <= 500),
  checked_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  PRIMARY KEY (run_id, update_id)
);
CREATE TABLE audit.trace_checks (
  run_id uuid NOT NULL,
  checked_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  ok boolean NOT NULL,
  -- The first event that does not follow; NULL when all do.
  broken_seq bigint,
  detail text NOT NULL CHECK (length(detail) <= 500),
  PRIMARY KEY (run_id, checked_at)
);
CREATE INDEX trace_checks_broken ON audit.trace_checks (run_id) WHERE NOT ok;
-- Rows and columns that are not what the receipt covers any more: the first that the sample found of a run.
CREATE TABLE audit.altered (
  run_id uuid PRIMARY KEY,
  -- Of the receipt.
  revision integer NOT NULL CHECK (revision >= 1),
  -- In the words of `rok verify`: `hold 1`.
  what text NOT NULL CHECK (length(what) BETWEEN 1 AND 300),
  detail text NOT NULL CHECK (length(detail) <= 500),
  found_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
GRANT SELECT, INSERT ON audit.approval_checks, audit.trace_checks, audit.altered TO rok_audit;

CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON audit.approval_checks FOR EACH ROW EXECUTE FUNCTION rok.refuse_change();
CREATE TRIGGER no_truncate BEFORE TRUNCATE ON audit.approval_checks FOR EACH STATEMENT EXECUTE FUNCTION rok.refuse_change();
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON audit.trace_checks FOR EACH ROW EXECUTE FUNCTION rok.refuse_change();
CREATE TRIGGER no_truncate BEFORE TRUNCATE ON audit.trace_checks FOR EACH STATEMENT EXECUTE FUNCTION rok.refuse_change();
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON audit.altered FOR EACH ROW EXECUTE FUNCTION rok.refuse_change();
CREATE TRIGGER no_truncate BEFORE TRUNCATE ON audit.altered FOR EACH STATEMENT EXECUTE FUNCTION rok.refuse_change();

-- A check that failed is news for the judge, also after a verdict.
CREATE FUNCTION audit.recall_checked() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = audit, pg_temp AS $$
BEGIN
  UPDATE audit.contracts c SET judge_after = least(c.judge_after, clock_timestamp()) WHERE c.run_id = NEW.run_id;
  RETURN NULL;
END $$;
COMMENT ON FUNCTION audit.recall_checked() IS 'Trigger of audit''s checks, as owner because the audit login may not write contracts; called by nobody.';
CREATE TRIGGER recall AFTER INSERT ON audit.approval_checks FOR EACH ROW WHEN (NOT NEW.ok) EXECUTE FUNCTION audit.recall_checked();
CREATE TRIGGER recall AFTER INSERT ON audit.trace_checks FOR EACH ROW WHEN (NOT NEW.ok) EXECUTE FUNCTION audit.recall_checked();
CREATE TRIGGER recall AFTER INSERT ON audit.altered FOR EACH ROW EXECUTE FUNCTION audit.recall_checked();

-- So is one that two acts of a run are of one person. A function of its own: one that names a column of NEW fails on every
-- table that lacks it, whatever stands before it in the same expression.
CREATE FUNCTION audit.recall_one_person() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = audit, pg_temp AS $$
BEGIN
  UPDATE audit.contracts c SET judge_after = least(c.judge_after, clock_timestamp())
    WHERE c.run_id = NEW.run_id AND EXISTS (SELECT FROM audit.approval_checks k
      WHERE k.run_id = NEW.run_id AND k.person = NEW.person AND k.update_id <> NEW.update_id);
  RETURN NULL;
END $$;
COMMENT ON FUNCTION audit.recall_one_person() IS
  'Trigger of audit.approval_checks, as owner because the audit login may not write contracts; called by nobody.';
CREATE TRIGGER recall_persons AFTER INSERT ON audit.approval_checks FOR EACH ROW WHEN (NEW.ok AND NEW.person IS NOT NULL)
  EXECUTE FUNCTION audit.recall_one_person();

CREATE VIEW audit.v_approval_checks AS SELECT * FROM audit.approval_checks;
GRANT SELECT ON audit.v_approval_checks TO rok_read;

RESET ROLE;
