-- A tenant's auditor on the ledger: the accounts of its tenant, its agents, labels and runs, and what drifts there. What `all`
-- tenants share is no tenant's, and not shown.
SET ROLE rok_audit_owner;

CREATE OR REPLACE VIEW auditor.decide_v_balances WITH (security_barrier) AS
  SELECT b.* FROM decide.v_balances b
  WHERE EXISTS (SELECT FROM auditor.tenants t WHERE t.tenant = b.tenant AND t.login = session_user);

DO $$
DECLARE
  v_view text;
BEGIN
  FOREACH v_view IN ARRAY ARRAY['decide.v_drift', 'decide.v_set_aside_drift', 'decide.v_overspent'] LOOP
    EXECUTE format(
      'CREATE OR REPLACE VIEW auditor.%I WITH (security_barrier) AS SELECT x.* FROM %s x WHERE x.account_id IN (
         SELECT b.account_id FROM decide.v_balances b JOIN auditor.tenants t ON t.tenant = b.tenant
         WHERE t.login = session_user)', replace(v_view, '.', '_'), v_view);
  END LOOP;
  -- Keyed by run, so shown as 0701_auditor.sql shows all that is.
  FOREACH v_view IN ARRAY ARRAY['decide.v_charge_drift', 'audit.v_attempt_drift', 'audit.v_receipt_drift'] LOOP
    EXECUTE format(
      'CREATE OR REPLACE VIEW auditor.%I WITH (security_barrier) AS SELECT x.* FROM %s x WHERE EXISTS (
         SELECT FROM audit.contracts c JOIN auditor.tenants t ON t.tenant = c.tenant
         WHERE c.run_id = x.run_id AND t.login = session_user)', replace(v_view, '.', '_'), v_view);
  END LOOP;
END $$;
GRANT SELECT ON auditor.decide_v_balances, auditor.decide_v_drift, auditor.decide_v_set_aside_drift, auditor.decide_v_overspent,
  auditor.decide_v_charge_drift, auditor.audit_v_attempt_drift, auditor.audit_v_receipt_drift TO rok_auditor;
-- A view's functions are called with the rights of whoever reads it.
GRANT EXECUTE ON FUNCTION audit.settlement_fault(text, text, text, bigint, bigint, bigint, bigint, bigint, numeric, bigint)
  TO rok_auditor;

RESET ROLE;
