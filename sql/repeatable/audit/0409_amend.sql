-- A hold moves both deadlines while it is open and gives back what it did not use, within expires_at. Several at once move them
-- by the time in which any was open: the union of their intervals, never the sum.
SET ROLE rok_audit_owner;

-- Kept to seconds, because days have no fixed length to an interval.
CREATE OR REPLACE FUNCTION audit.time_held(p_holds tstzmultirange) RETURNS interval LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT make_interval(secs => coalesce(sum(extract(epoch FROM upper(open)) - extract(epoch FROM lower(open))), 0)::float8)
  FROM unnest(p_holds) AS open
$$;
COMMENT ON FUNCTION audit.time_held(tstzmultirange) IS 'How long any hold was open; for audit.amend only.';

CREATE OR REPLACE FUNCTION audit.amend(p_run uuid, p_step integer, p_attempt integer, p_hold integer, p_reason text,
  p_from timestamptz, p_until timestamptz)
RETURNS TABLE (run_deadline timestamptz, finalize_due timestamptz)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = audit, pg_temp AS $$
#variable_conflict use_column
DECLARE
  v_contract audit.contracts;
  v_now timestamptz;
  v_held tstzmultirange;
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
    -- From what was declared and all that was asked since. A hold counts from when it was opened until it ends, or its deadline
    -- where that is first; an end that no opening goes before, or that comes before it, counts for nothing.
    SELECT range_agg(tstzrange(o.open_from, greatest(o.open_from, least(o.open_until, e.open_until)))) INTO v_held
      FROM (SELECT m.hold, m.open_from, m.open_until FROM audit.amendments m WHERE m.run_id = p_run AND m.reason = 'hold_opened'
            UNION ALL SELECT p_hold, p_from, p_until WHERE p_reason = 'hold_opened') o
      LEFT JOIN (SELECT m.hold, m.open_until FROM audit.amendments m WHERE m.run_id = p_run AND m.reason = 'hold_ended'
            UNION ALL SELECT p_hold, p_until WHERE p_reason = 'hold_ended') e USING (hold);
    v_due := least(v_contract.declared_finalize_due + audit.time_held(v_held), v_contract.expires_at);
    v_deadline := v_due - (v_contract.declared_finalize_due - v_contract.declared_run_deadline);
    INSERT INTO audit.amendments (run_id, n, step, attempt, hold, reason, open_from, open_until, run_deadline, finalize_due, at)
      SELECT p_run, coalesce(max(m.n), 0) + 1, p_step, p_attempt, p_hold, p_reason, p_from, p_until, v_deadline, v_due, v_now
      FROM audit.amendments m WHERE m.run_id = p_run;
    UPDATE audit.contracts c SET run_deadline = v_deadline, finalize_due = v_due, judge_after = v_due WHERE c.run_id = p_run;
  END IF;
  RETURN QUERY SELECT c.run_deadline, c.finalize_due FROM audit.contracts c WHERE c.run_id = p_run;
END $$;
COMMENT ON FUNCTION audit.amend(uuid, integer, integer, integer, text, timestamptz, timestamptz) IS
  'Moves the deadlines for a hold, never past expires_at, never for a run that is final or overdue; rok_decide only. Answers what is in force.';
GRANT EXECUTE ON FUNCTION audit.amend(uuid, integer, integer, integer, text, timestamptz, timestamptz) TO rok_decide, rok_decide_owner;

RESET ROLE;
