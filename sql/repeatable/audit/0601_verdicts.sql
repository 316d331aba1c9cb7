-- Functions, triggers, views and rights that belong to `migrations/audit/0601_verdicts.sql`.
SET ROLE rok_audit_owner;

-- audit.judge writes, as owner: the audit login can withhold a verdict, not make one up.
GRANT SELECT ON audit.verdicts TO rok_audit;
CREATE OR REPLACE TRIGGER append_only BEFORE UPDATE OR DELETE ON audit.verdicts FOR EACH ROW EXECUTE FUNCTION rok.refuse_change();
CREATE OR REPLACE TRIGGER no_truncate BEFORE TRUNCATE ON audit.verdicts FOR EACH STATEMENT EXECUTE FUNCTION rok.refuse_change();

-- The one order of badness.
CREATE OR REPLACE FUNCTION audit.badness(p_status text) RETURNS integer LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT CASE p_status WHEN 'COMPLETE' THEN 0 WHEN 'INCOMPLETE' THEN 1 WHEN 'STALE' THEN 2 END
$$;
COMMENT ON FUNCTION audit.badness(text) IS 'Orders verdicts; for audit''s own functions.';

CREATE OR REPLACE FUNCTION audit.guard_verdict() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  v_last audit.verdicts;
BEGIN
  SELECT v.* INTO v_last FROM audit.verdicts v WHERE v.run_id = NEW.run_id ORDER BY v.revision DESC LIMIT 1;
  IF NEW.revision <> coalesce(v_last.revision, 0) + 1 THEN
    RAISE EXCEPTION 'revision % of run % does not follow', NEW.revision, NEW.run_id USING ERRCODE = '55000';
  END IF;
  IF v_last.run_id IS NOT NULL AND audit.badness(NEW.status) < audit.badness(v_last.status) THEN
    RAISE EXCEPTION 'append-only: % cannot become %', v_last.status, NEW.status USING ERRCODE = '55000';
  END IF;
  RETURN NEW;
END $$;
COMMENT ON FUNCTION audit.guard_verdict() IS 'Trigger of audit.verdicts; called by nobody.';
CREATE OR REPLACE TRIGGER guard_verdict BEFORE INSERT ON audit.verdicts FOR EACH ROW EXECUTE FUNCTION audit.guard_verdict();
-- The signer takes an entry away in the transaction that stores its receipt.
GRANT SELECT, DELETE ON audit.unsigned TO rok_audit;

CREATE OR REPLACE FUNCTION audit.list_unsigned() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO audit.unsigned (run_id, revision) SELECT f.run_id, f.revision FROM fresh f;
  RETURN NULL;
END $$;
COMMENT ON FUNCTION audit.list_unsigned() IS 'Trigger of audit.verdicts; called by nobody.';
CREATE OR REPLACE TRIGGER list_unsigned AFTER INSERT ON audit.verdicts REFERENCING NEW TABLE AS fresh
  FOR EACH STATEMENT EXECUTE FUNCTION audit.list_unsigned();

CREATE OR REPLACE VIEW audit.v_verdicts AS
  SELECT v.run_id, v.revision, v.status, v.findings, v.facts, v.judged_at
  FROM audit.verdicts v
  WHERE NOT EXISTS (SELECT FROM audit.verdicts later WHERE later.run_id = v.run_id AND later.revision = v.revision + 1);
COMMENT ON VIEW audit.v_verdicts IS 'The latest revision of each run.';
GRANT SELECT ON audit.v_verdicts TO rok_audit, rok_decide, rok_decide_owner, rok_read;

CREATE OR REPLACE VIEW audit.v_all_verdicts AS SELECT run_id, revision, status, findings, judged_at FROM audit.verdicts;
COMMENT ON VIEW audit.v_all_verdicts IS 'Every revision: an earlier receipt speaks of an earlier one.';
GRANT SELECT ON audit.v_all_verdicts TO rok_audit, rok_read;

RESET ROLE;
