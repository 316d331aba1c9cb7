-- Functions, views and rights that belong to `migrations/audit/0613_set_aside.sql`.
SET ROLE rok_audit_owner;

GRANT SELECT ON audit.set_aside TO rok_audit;

CREATE OR REPLACE VIEW audit.v_set_aside AS SELECT * FROM audit.set_aside;
-- Whoever operates ROK sees what could not be judged, and why.
GRANT SELECT ON audit.v_set_aside TO rok_read;

-- Writes the failure down and nothing else, so that it succeeds whatever cannot be read of the run.
CREATE OR REPLACE FUNCTION audit.failed_alone(p_run uuid, p_sqlstate text) RETURNS integer
LANGUAGE sql SECURITY DEFINER SET search_path = audit, pg_temp AS $$
  INSERT INTO audit.set_aside AS a (run_id, failures, first_at, last_at, next_at, sqlstate)
    SELECT p_run, 1, n.now, n.now, n.now + interval '20 seconds', p_sqlstate FROM (SELECT clock_timestamp() AS now) n
  ON CONFLICT (run_id) DO UPDATE SET failures = least(a.failures, 1000000) + 1, last_at = excluded.last_at, sqlstate = excluded.sqlstate,
    next_at = excluded.last_at + least(interval '20 seconds' * 2 ^ least(a.failures, 10), interval '10 minutes')
  RETURNING a.failures
$$;
COMMENT ON FUNCTION audit.failed_alone(uuid, text) IS
  'Sets a run or a stray aside that failed alone with this SQLSTATE, or for longer; rok_audit only, which found it by splitting a page. Answers how often it failed.';
GRANT EXECUTE ON FUNCTION audit.failed_alone(uuid, text) TO rok_audit;

-- An error of the run's own data or size, which trying again would not cure; or any, five times over ten minutes.
CREATE OR REPLACE FUNCTION audit.failed_for_good(p_aside audit.set_aside) RETURNS boolean LANGUAGE sql IMMUTABLE AS $$
  SELECT p_aside.sqlstate ~ '^(22|23|54|XX)'
    OR (p_aside.failures >= 5 AND p_aside.last_at - p_aside.first_at >= interval '10 minutes')
$$;
COMMENT ON FUNCTION audit.failed_for_good(audit.set_aside) IS 'Whether JUDGE_ERROR is to be ruled; for audit''s own functions.';

-- The least that can be ruled: STALE needs the contract and its acks only, JUDGE_ERROR nothing. What this writes is what
-- the whole statement would find too, so that a later judgement that succeeds only adds to it.
CREATE OR REPLACE FUNCTION audit.rule_apart(p_run uuid)
RETURNS TABLE (run_id uuid, revision integer, status text, written boolean)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = audit, pg_temp AS $$
#variable_conflict use_column
DECLARE
  v_contract audit.contracts;
  v_aside audit.set_aside;
  v_last audit.verdicts;
  v_now timestamptz;
  v_done_at timestamptz;
  v_unread boolean := false;
  v_stale boolean;
  v_error boolean;
  v_found jsonb := '[]';
BEGIN
  SELECT c.* INTO v_contract FROM audit.contracts c
    WHERE c.run_id = p_run AND c.judge_after <= clock_timestamp() FOR NO KEY UPDATE SKIP LOCKED;
  SELECT a.* INTO v_aside FROM audit.set_aside a WHERE a.run_id = p_run;
  IF v_contract.run_id IS NULL OR v_aside.run_id IS NULL THEN
    RETURN QUERY SELECT * FROM audit.rule_stray_apart(p_run);
    RETURN;
  END IF;
  v_now := clock_timestamp();
  SELECT v.* INTO v_last FROM audit.v_verdicts x JOIN audit.verdicts v USING (run_id, revision) WHERE x.run_id = p_run;
  BEGIN
    SELECT min(a.at) INTO v_done_at FROM audit.acks a WHERE a.run_id = p_run
      AND a.domain = 'orchestrator' AND a.action = 'finalize_run' AND a.status = 'done';
  EXCEPTION WHEN data_exception OR internal_error OR program_limit_exceeded OR system_error THEN
    -- Acks that cannot be read do not show that none came: that is an error of the judge.
    v_unread := true;
  END;
  v_stale := coalesce(v_last.status = 'STALE', false) OR (NOT v_unread AND coalesce(v_done_at, v_now) > v_contract.finalize_due);
  v_error := audit.failed_for_good(v_aside) AND (v_done_at IS NOT NULL OR v_now > v_contract.finalize_due);
  IF v_stale AND NOT v_unread AND EXISTS (SELECT FROM audit.expectations e
      WHERE (e.run_id, e.domain, e.action) = (p_run, 'orchestrator', 'finalize_run')) THEN
    v_found := v_found || CASE WHEN v_done_at IS NULL THEN jsonb_build_object('code', 'MISSING', 'blocking', true,
        'subject', 'orchestrator/finalize_run', 'detail', 'not acknowledged by ' || audit.iso(v_contract.finalize_due))
      WHEN v_done_at > v_contract.finalize_due THEN jsonb_build_object('code', 'LATE', 'blocking', true,
        'subject', 'orchestrator/finalize_run', 'detail',
        'due ' || audit.iso(v_contract.finalize_due) || ', acknowledged ' || audit.iso(v_done_at))
      ELSE '[]' END;
  END IF;
  IF v_error THEN
    v_found := v_found || jsonb_build_object('code', 'JUDGE_ERROR', 'blocking', true, 'subject', 'judge',
      'detail', 'SQLSTATE ' || v_aside.sqlstate);
  END IF;
  -- PENDING is no verdict; and what is ruled STALE only is tried again as a whole.
  UPDATE audit.contracts c SET judge_after = CASE WHEN v_done_at IS NULL AND v_now <= c.finalize_due THEN c.finalize_due
      WHEN v_error THEN NULL ELSE c.judge_after END
    WHERE c.run_id = p_run;
  -- What this judge said before it need not say again.
  IF NOT ((v_stale AND v_last.status IS DISTINCT FROM 'STALE')
      OR (v_error AND NOT coalesce(v_last.findings @> '[{"code": "JUDGE_ERROR"}]', false))) THEN
    RETURN QUERY SELECT p_run, v_last.revision, v_last.status, false;
    RETURN;
  END IF;
  -- What stands may be what cannot be read: only what is a finding and blocks is kept, and nothing is cast.
  RETURN QUERY
  INSERT INTO audit.verdicts (run_id, revision, status, findings, facts, judged_at)
    SELECT p_run, coalesce(v_last.revision, 0) + 1, CASE WHEN v_stale THEN 'STALE' ELSE 'INCOMPLETE' END,
           coalesce(jsonb_agg(o.item ORDER BY o.item ->> 'code' COLLATE "C", o.item ->> 'subject' COLLATE "C",
             o.item ->> 'detail' COLLATE "C"), '[]'), '{}', v_now
    FROM (SELECT DISTINCT x.item FROM jsonb_array_elements(coalesce(v_last.findings, '[]') || v_found) AS x (item)
          WHERE x.item -> 'blocking' = 'true') o
    RETURNING run_id, revision, status, true;
END $$;
COMMENT ON FUNCTION audit.rule_apart(uuid) IS
  'Rules on a run or stray that is set aside: STALE once it is past its due time, and JUDGE_ERROR where the judge failed for good; rok_audit only.';
GRANT EXECUTE ON FUNCTION audit.rule_apart(uuid) TO rok_audit;

CREATE OR REPLACE FUNCTION audit.rule_stray_apart(p_run uuid)
RETURNS TABLE (run_id uuid, revision integer, status text, written boolean)
LANGUAGE plpgsql SET search_path = audit, pg_temp AS $$
#variable_conflict use_column
DECLARE
  v_now timestamptz := clock_timestamp();
  v_aside audit.set_aside;
BEGIN
  SELECT a.* INTO v_aside FROM audit.set_aside a WHERE a.run_id = p_run;
  IF v_aside.run_id IS NULL OR NOT audit.failed_for_good(v_aside) THEN
    RETURN;
  END IF;
  UPDATE audit.strays s SET settled_at = v_now, settled_as = 'judged'
    WHERE s.run_id = p_run AND s.settled_at IS NULL AND s.due_at <= v_now;
  IF NOT FOUND THEN
    RETURN;
  END IF;
  RETURN QUERY
  INSERT INTO audit.verdicts (run_id, revision, status, findings, facts, judged_at)
    VALUES (p_run, 1, 'INCOMPLETE', jsonb_build_array(jsonb_build_object('code', 'JUDGE_ERROR', 'blocking', true,
      'subject', 'judge', 'detail', 'SQLSTATE ' || v_aside.sqlstate)), '{}', v_now)
    RETURNING run_id, revision, status, true;
END $$;
COMMENT ON FUNCTION audit.rule_stray_apart(uuid) IS 'JUDGE_ERROR on a stray at which the judge failed for good; for audit.rule_apart only.';

-- Whether it is one run that cannot be judged, or all of them: the youngest that was judged well is ruled on once more.
-- NULL where there is none to ask about.
CREATE OR REPLACE FUNCTION audit.can_judge() RETURNS boolean
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = audit, pg_temp AS $$
DECLARE
  v_run uuid;
BEGIN
  SELECT c.run_id INTO v_run
    FROM (SELECT x.* FROM audit.contracts x ORDER BY x.declared_at DESC, x.run_id DESC LIMIT 1000) c
    WHERE c.judge_after IS NULL AND NOT EXISTS (SELECT FROM audit.set_aside a WHERE a.run_id = c.run_id)
    ORDER BY c.declared_at DESC LIMIT 1;
  IF v_run IS NULL THEN
    RETURN NULL;
  END IF;
  PERFORM FROM audit.ruling(ARRAY[v_run], clock_timestamp());
  RETURN true;
END $$;
COMMENT ON FUNCTION audit.can_judge() IS 'Whether a run that was judged can be judged still, so that one that fails alone is known for what it is; rok_audit only.';
GRANT EXECUTE ON FUNCTION audit.can_judge() TO rok_audit;

RESET ROLE;
