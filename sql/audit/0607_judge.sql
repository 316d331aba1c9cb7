-- The verdict: one set-based statement, the same for one run and for a page of them.
SET ROLE rok_audit_owner;

CREATE FUNCTION audit.judge(p_runs uuid[], p_limit integer)
RETURNS TABLE (run_id uuid, revision integer, status text, written boolean)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = audit, pg_temp SET plan_cache_mode = force_custom_plan AS $$
#variable_conflict use_column
DECLARE
  v_now timestamptz := clock_timestamp();
  v_page uuid[];
BEGIN
  -- A statement of its own, before the one that judges: what an ack wrote while this one waited or skipped must be
  -- visible to that one's snapshot. A contract that an ack holds is skipped, and judged the next time.
  SELECT array_agg(p.run_id) INTO v_page FROM (
    SELECT c.run_id FROM audit.contracts c
    WHERE c.judge_after <= v_now AND (p_runs IS NULL OR c.run_id = ANY (p_runs))
    ORDER BY c.judge_after LIMIT p_limit
    FOR NO KEY UPDATE SKIP LOCKED) p;
  IF v_page IS NULL THEN
    RETURN;
  END IF;
  v_now := clock_timestamp();

  RETURN QUERY
  WITH due AS (
    SELECT c.run_id, c.finalize_due, f.done_at,
           -- Nobody said it is final, and it is not yet too late: PENDING.
           f.done_at IS NULL AND c.finalize_due >= v_now AS pending,
           CASE WHEN f.done_at IS NULL THEN c.finalize_due < v_now ELSE f.done_at > c.finalize_due END AS stale,
           l.revision, l.status, l.findings
    FROM audit.contracts c
    LEFT JOIN LATERAL (SELECT min(a.at) AS done_at FROM audit.acks a WHERE a.run_id = c.run_id
      AND a.domain = 'orchestrator' AND a.action = 'finalize_run' AND a.status = 'done') f ON true
    LEFT JOIN audit.v_verdicts l ON l.run_id = c.run_id
    WHERE c.run_id = ANY (v_page)
  ), found AS (
    SELECT * FROM audit.promise_findings(v_page, v_now)
    UNION SELECT * FROM audit.execution_findings(v_page)
    UNION SELECT * FROM audit.trace_findings(v_page)
    -- What blocked once, blocks: a verdict only worsens.
    UNION SELECT d.run_id, o.code, o.blocking, o.subject, o.detail
      FROM due d CROSS JOIN LATERAL jsonb_to_recordset(d.findings) AS o (code text, blocking boolean, subject text, detail text)
      WHERE o.blocking
  ), ruled AS (
    SELECT d.run_id, coalesce(d.revision, 0) + 1 AS revision, d.status AS last_status, d.findings AS last_findings,
           CASE WHEN d.stale THEN 'STALE' WHEN coalesce(bool_or(x.blocking), false) THEN 'INCOMPLETE' ELSE 'COMPLETE' END AS status,
           coalesce(jsonb_agg(
             jsonb_build_object('code', x.code, 'blocking', x.blocking, 'subject', x.subject, 'detail', x.detail)
             ORDER BY x.blocking DESC, x.code COLLATE "C", x.subject COLLATE "C", x.detail COLLATE "C")
             FILTER (WHERE x.code IS NOT NULL), '[]') AS findings
    FROM due d LEFT JOIN found x ON x.run_id = d.run_id
    WHERE NOT d.pending
    GROUP BY d.run_id, d.revision, d.status, d.findings, d.stale
  ), worst AS (
    SELECT u.run_id, u.revision, u.last_status, u.last_findings, u.findings,
           CASE WHEN audit.badness(u.last_status) > audit.badness(u.status) THEN u.last_status ELSE u.status END AS status
    FROM ruled u
  ), written AS (
    INSERT INTO audit.verdicts (run_id, revision, status, findings, facts, judged_at)
    SELECT w.run_id, w.revision, w.status, w.findings, f.facts, v_now
    FROM worst w JOIN audit.facts(v_page) f ON f.run_id = w.run_id
    WHERE (w.status, w.findings) IS DISTINCT FROM (w.last_status, w.last_findings)
    RETURNING run_id, revision, status
  ), looked AS (
    UPDATE audit.contracts c SET judge_after = CASE WHEN d.pending THEN d.finalize_due END
    FROM due d WHERE c.run_id = d.run_id
  )
  SELECT d.run_id, coalesce(w.revision, d.revision), coalesce(w.status, d.status), w.run_id IS NOT NULL
  FROM due d LEFT JOIN written w ON w.run_id = d.run_id;
END $$;
COMMENT ON FUNCTION audit.judge(uuid[], integer) IS
  'Judges what is due among the runs given (NULL: any), a page at most; rok_audit only. Definer, because the audit login may not write verdicts by hand. Answers every run it looked at with the verdict that stands, NULL while PENDING.';
GRANT EXECUTE ON FUNCTION audit.judge(uuid[], integer) TO rok_audit;

-- When the judge itself stumbles over a run's data: that run gets its verdict too.
CREATE FUNCTION audit.judge_error(p_run uuid, p_sqlstate text) RETURNS TABLE (run_id uuid, revision integer, status text)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = audit, pg_temp AS $$
#variable_conflict use_column
DECLARE
  v_contract audit.contracts;
  v_last audit.verdicts;
  v_now timestamptz;
  v_done_at timestamptz;
  v_stale boolean;
  v_finding jsonb;
BEGIN
  IF p_sqlstate !~ '^(22|23)[0-9A-Z]{3}$' THEN
    RAISE EXCEPTION '% is not an error of the data', p_sqlstate USING ERRCODE = '22023';
  END IF;
  SELECT c.* INTO v_contract FROM audit.contracts c
    WHERE c.run_id = p_run AND c.judge_after <= clock_timestamp() FOR NO KEY UPDATE SKIP LOCKED;
  IF NOT FOUND THEN
    RETURN;
  END IF;
  v_now := clock_timestamp();
  v_finding := jsonb_build_object('code', 'JUDGE_ERROR', 'blocking', true, 'subject', 'judge', 'detail', 'SQLSTATE ' || p_sqlstate);
  SELECT v.* INTO v_last FROM audit.v_verdicts x JOIN audit.verdicts v USING (run_id, revision) WHERE x.run_id = p_run;
  SELECT min(a.at) INTO v_done_at FROM audit.acks a WHERE a.run_id = p_run
    AND a.domain = 'orchestrator' AND a.action = 'finalize_run' AND a.status = 'done';
  v_stale := coalesce(v_done_at, v_now) > v_contract.finalize_due OR coalesce(v_last.status = 'STALE', false);
  UPDATE audit.contracts c SET judge_after = CASE WHEN v_done_at IS NULL AND NOT v_stale THEN c.finalize_due END
    WHERE c.run_id = p_run;
  IF coalesce(v_last.findings @> jsonb_build_array(v_finding), false) AND (NOT v_stale OR v_last.status = 'STALE') THEN
    RETURN;
  END IF;
  RETURN QUERY
  INSERT INTO audit.verdicts (run_id, revision, status, findings, facts, judged_at)
    SELECT p_run, coalesce(v_last.revision, 0) + 1, CASE WHEN v_stale THEN 'STALE' ELSE 'INCOMPLETE' END,
           jsonb_agg(DISTINCT o.item), '{}', v_now
    FROM jsonb_array_elements(coalesce(v_last.findings, '[]') || v_finding) AS o (item)
    WHERE (o.item ->> 'blocking')::boolean
    RETURNING run_id, revision, status;
END $$;
COMMENT ON FUNCTION audit.judge_error(uuid, text) IS
  'Rules INCOMPLETE with JUDGE_ERROR on a run whose data the judge cannot read (SQLSTATE class 22, 23); rok_audit only, which found it by halving a page.';
GRANT EXECUTE ON FUNCTION audit.judge_error(uuid, text) TO rok_audit;

-- Facts that arrive in another power's tables after a verdict make the run due again.
CREATE FUNCTION audit.recall() RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = audit, pg_temp AS $$
DECLARE
  v_recalled bigint;
BEGIN
  UPDATE audit.contracts c SET judge_after = clock_timestamp()
  FROM decide.v_refused_histories h, audit.v_verdicts v
  WHERE h.run_id = c.run_id AND v.run_id = c.run_id AND c.judge_after IS NULL AND h.at > v.judged_at
    AND NOT v.findings @> jsonb_build_array(jsonb_build_object('code', 'REFUSED_HISTORY', 'subject', h.temporal_run_id));
  GET DIAGNOSTICS v_recalled = ROW_COUNT;
  RETURN v_recalled;
END $$;
COMMENT ON FUNCTION audit.recall() IS 'Makes runs due again whose name another history claimed after their verdict; rok_audit only, each sweep.';
GRANT EXECUTE ON FUNCTION audit.recall() TO rok_audit;

RESET ROLE;
