-- Functions, views and rights that belong to `migrations/auditor/0701_auditor.sql`.
DO $$
BEGIN
  EXECUTE format('GRANT CONNECT ON DATABASE %I TO rok_auditor', current_database());
END $$;
GRANT USAGE ON SCHEMA auditor TO rok_auditor;
SET ROLE rok_audit_owner;

-- session_user, not current_user: the views run as their owner, and SET ROLE does not change whose session it is. Barriers,
-- so that no condition of the asker's sees a row before this one let it through.
DO $$
DECLARE
  v_view text;
BEGIN
  FOREACH v_view IN ARRAY ARRAY[
    'decide.v_runs', 'decide.v_histories', 'decide.v_refused_histories', 'decide.v_decisions', 'decide.v_rulings',
    'decide.v_reservations', 'decide.v_holds', 'decide.v_acts', 'decide.v_raises', 'decide.v_refusals',
    'execute.v_attempts', 'execute.v_results', 'execute.v_evaluations', 'execute.v_shown',
    'execute.v_incident_occurrences', 'observe.v_events', 'observe.v_heads', 'audit.v_contracts', 'audit.v_amendments',
    'audit.v_acks', 'audit.v_expectations', 'audit.v_verdicts', 'audit.v_all_verdicts', 'audit.v_orphans',
    'audit.v_approval_checks', 'audit.v_receipts', 'audit.v_content_digests', 'audit.v_content_drift', 'decide.v_approval_uses']
  LOOP
    -- `decide.v_runs` is `auditor.decide_v_runs`, which src/reader/auditor-views.ts relies on.
    EXECUTE format(
      'CREATE OR REPLACE VIEW auditor.%I WITH (security_barrier) AS SELECT x.* FROM %s x WHERE EXISTS (
         SELECT FROM audit.contracts c JOIN auditor.tenants t ON t.tenant = c.tenant
         WHERE c.run_id = x.run_id AND t.login = session_user)', replace(v_view, '.', '_'), v_view);
    EXECUTE format('GRANT SELECT ON auditor.%I TO rok_auditor', replace(v_view, '.', '_'));
  END LOOP;
END $$;

CREATE OR REPLACE VIEW auditor.audit_v_receipt_heads WITH (security_barrier) AS
  SELECT h.* FROM audit.v_receipt_heads h
  WHERE EXISTS (SELECT FROM auditor.tenants t WHERE t.tenant = h.tenant AND t.login = session_user);
-- The one function: it rules on a run of the asker's tenant, and writes nothing.
CREATE OR REPLACE FUNCTION auditor.rejudge(p_run uuid) RETURNS TABLE (status text, findings jsonb, facts jsonb)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = auditor, pg_temp AS $$
  SELECT j.status, j.findings, j.facts FROM audit.rejudge(p_run) j
  WHERE EXISTS (SELECT FROM audit.contracts c JOIN auditor.tenants t ON t.tenant = c.tenant
    WHERE c.run_id = p_run AND t.login = session_user)
$$;
COMMENT ON FUNCTION auditor.rejudge(uuid) IS
  'As audit.rejudge, of a run of the asker''s tenant; for auditors. Definer, because they may call nothing of audit''s.';
GRANT EXECUTE ON FUNCTION auditor.rejudge(uuid) TO rok_auditor;
-- Public keys are everybody's.
CREATE OR REPLACE VIEW auditor.audit_v_keys AS SELECT k.* FROM audit.v_keys k;
GRANT SELECT ON auditor.audit_v_receipt_heads, auditor.audit_v_keys TO rok_auditor;

RESET ROLE;
