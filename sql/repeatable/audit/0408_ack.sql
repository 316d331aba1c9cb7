-- An acknowledgement: by the power that did it, of its own domain, stamped after the contract's lock was taken, so that
-- every ack is either before a verdict or stamped after it.
SET ROLE rok_audit_owner;

CREATE OR REPLACE FUNCTION audit.login_of(p_domain text) RETURNS text LANGUAGE sql IMMUTABLE AS $$
  SELECT CASE p_domain
    WHEN 'incidents' THEN 'rok_execute'
    WHEN 'policies' THEN 'rok_execute'
    WHEN 'logs' THEN 'rok_observe'
    WHEN 'orchestrator' THEN 'rok_decide'
  END
$$;
COMMENT ON FUNCTION audit.login_of(text) IS 'Whose domain it is; for audit''s own functions.';

CREATE OR REPLACE FUNCTION audit.ack(p_run uuid, p_domain text, p_action text, p_status text, p_evidence jsonb) RETURNS timestamptz
LANGUAGE plpgsql SECURITY DEFINER SET search_path = audit, pg_temp AS $$
DECLARE
  v_at timestamptz;
  v_judged boolean;
  v_finalized boolean;
BEGIN
  -- session_user: inside a definer function current_user is the owner, whoever called.
  IF session_user IS DISTINCT FROM audit.login_of(p_domain) THEN
    RAISE EXCEPTION '% may not acknowledge in domain %', session_user, p_domain USING ERRCODE = '42501';
  END IF;
  PERFORM FROM audit.contracts c WHERE c.run_id = p_run FOR NO KEY UPDATE;
  IF NOT FOUND THEN
    RAISE EXCEPTION 'no contract of run %', p_run USING ERRCODE = 'P0002';
  END IF;
  SELECT min(a.at) INTO v_at FROM audit.acks a
    WHERE a.run_id = p_run AND (a.domain, a.action, a.status, a.evidence) = (p_domain, p_action, p_status, p_evidence);
  IF v_at IS NOT NULL THEN
    RETURN v_at;
  END IF;
  -- The verdict speaks of each. Counted by domain: who floods its own keeps no other power from acknowledging.
  IF (SELECT count(*) FROM audit.acks a WHERE a.run_id = p_run AND a.domain = p_domain) >= 256 THEN
    RAISE EXCEPTION 'run % has 256 acks of domain % already', p_run, p_domain USING ERRCODE = '54000';
  END IF;
  v_at := clock_timestamp();
  INSERT INTO audit.acks (run_id, n, domain, action, status, evidence, by, at)
    SELECT p_run, coalesce(max(a.n), 0) + 1, p_domain, p_action, p_status, p_evidence, session_user, v_at
    FROM audit.acks a WHERE a.run_id = p_run;
  -- The judge need not look before the run says it is final, or was judged; after that every ack is news.
  v_judged := EXISTS (SELECT FROM audit.verdicts v WHERE v.run_id = p_run);
  v_finalized := EXISTS (SELECT FROM audit.acks a
    WHERE a.run_id = p_run AND a.domain = 'orchestrator' AND a.action = 'finalize_run' AND a.status = 'done');
  IF v_judged OR v_finalized THEN
    UPDATE audit.contracts c SET judge_after = least(c.judge_after, v_at) WHERE c.run_id = p_run;
  END IF;
  RETURN v_at;
END $$;
COMMENT ON FUNCTION audit.ack(uuid, text, text, text, jsonb) IS
  'Acknowledges an action; each login in its own domains only, itself or through a definer function of its power. The same again is a no-op.';
GRANT EXECUTE ON FUNCTION audit.ack(uuid, text, text, text, jsonb) TO
  rok_decide, rok_execute, rok_observe, rok_decide_owner, rok_observe_owner;

RESET ROLE;
