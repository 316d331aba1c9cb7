-- A hold moves both deadlines while it is open and gives back what it did not use, within expires_at.
SET ROLE rok_audit_owner;

CREATE FUNCTION audit.amend(p_run uuid, p_step integer, p_attempt integer, p_hold integer, p_reason text, p_shift interval)
RETURNS TABLE (run_deadline timestamptz, finalize_due timestamptz)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = audit, pg_temp AS $$
#variable_conflict use_column
DECLARE
  v_contract audit.contracts;
  v_now timestamptz;
  v_shift interval;
  v_due timestamptz;
  v_deadline timestamptz;
BEGIN
  SELECT c.* INTO v_contract FROM audit.contracts c WHERE c.run_id = p_run FOR NO KEY UPDATE;
  IF NOT FOUND THEN
    RAISE EXCEPTION 'no contract of run %', p_run USING ERRCODE = 'P0002';
  END IF;
  v_now := clock_timestamp();
  IF v_now <= v_contract.finalize_due
     AND NOT EXISTS (SELECT FROM audit.amendments m WHERE m.run_id = p_run AND m.hold IS NOT DISTINCT FROM p_hold AND m.reason = p_reason)
     AND NOT EXISTS (SELECT FROM audit.acks a WHERE a.run_id = p_run AND a.domain = 'orchestrator' AND a.action = 'finalize_run')
  THEN
    -- From what was declared and all that was asked since: a shift that expires_at cut short is given back only as far as
    -- it went, and giving back more than was taken never shortens what was declared.
    SELECT greatest(coalesce(sum(m.shift), interval '0') + p_shift, interval '0') INTO v_shift
      FROM audit.amendments m WHERE m.run_id = p_run;
    v_due := least(v_contract.declared_finalize_due + v_shift, v_contract.expires_at);
    v_deadline := v_due - (v_contract.declared_finalize_due - v_contract.declared_run_deadline);
    INSERT INTO audit.amendments (run_id, n, step, attempt, hold, reason, shift, run_deadline, finalize_due, at)
      SELECT p_run, coalesce(max(m.n), 0) + 1, p_step, p_attempt, p_hold, p_reason, p_shift, v_deadline, v_due, v_now
      FROM audit.amendments m WHERE m.run_id = p_run;
    UPDATE audit.contracts c SET run_deadline = v_deadline, finalize_due = v_due, judge_after = v_due WHERE c.run_id = p_run;
  END IF;
  RETURN QUERY SELECT c.run_deadline, c.finalize_due FROM audit.contracts c WHERE c.run_id = p_run;
END $$;
COMMENT ON FUNCTION audit.amend(uuid, integer, integer, integer, text, interval) IS
  'Moves the deadlines for a hold, never past expires_at, never for a run that is final or overdue; rok_decide only. Answers what is in force.';
GRANT EXECUTE ON FUNCTION audit.amend(uuid, integer, integer, integer, text, interval) TO rok_decide, rok_decide_owner;

RESET ROLE;
