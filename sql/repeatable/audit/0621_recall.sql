-- Functions and rights that belong to `migrations/audit/0621_recall.sql`.
SET ROLE rok_audit_owner;

CREATE OR REPLACE FUNCTION audit.recall(p_limit integer DEFAULT 5000) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = audit, pg_temp AS $$
DECLARE
  v_look audit.recall_look;
  v_seen bigint;
  v_recalled bigint;
BEGIN
  SELECT l.* INTO v_look FROM audit.recall_look l FOR UPDATE;
  IF v_look.one IS NULL THEN
    v_look := (true, clock_timestamp(), coalesce((SELECT b.at - interval '10 minutes' FROM audit.beats b WHERE b.name = 'recall.cursor'),
      '-infinity'), '', '', NULL);
  END IF;
  WITH portion AS MATERIALIZED (
    SELECT h.at, h.workflow_id, h.temporal_run_id, h.run_id FROM decide.v_refused_histories h
    WHERE h.at >= v_look.at AND (h.at, h.workflow_id, h.temporal_run_id) > (v_look.at, v_look.workflow_id, v_look.temporal_run_id)
    ORDER BY h.at, h.workflow_id, h.temporal_run_id LIMIT p_limit
  ), news AS MATERIALIZED (
    SELECT h.run_id, min(h.at) AS at FROM portion h
    JOIN audit.contracts c ON c.run_id = h.run_id AND c.judge_after IS NULL
    JOIN audit.v_verdicts v ON v.run_id = h.run_id AND h.at > v.judged_at
      AND NOT v.findings @> jsonb_build_array(jsonb_build_object('code', 'REFUSED_HISTORY', 'subject', h.temporal_run_id))
    GROUP BY h.run_id
  ), locked AS MATERIALIZED (
    -- Who holds a run's lock holds up no other run.
    SELECT c.run_id FROM audit.contracts c WHERE c.run_id IN (SELECT n.run_id FROM news n) FOR NO KEY UPDATE SKIP LOCKED
  ), recalled AS (
    UPDATE audit.contracts c SET judge_after = clock_timestamp() FROM locked l WHERE c.run_id = l.run_id RETURNING c.run_id
  )
  SELECT (SELECT count(*) FROM portion), (SELECT count(*) FROM recalled),
    least(v_look.skipped_at, (SELECT min(n.at) FROM news n WHERE n.run_id NOT IN (SELECT l.run_id FROM locked l))),
    p.at, p.workflow_id, p.temporal_run_id
  INTO v_seen, v_recalled, v_look.skipped_at, v_look.at, v_look.workflow_id, v_look.temporal_run_id
  FROM (SELECT) x LEFT JOIN (
    SELECT p.at, p.workflow_id, p.temporal_run_id FROM portion p
    ORDER BY p.at DESC, p.workflow_id DESC, p.temporal_run_id DESC LIMIT 1) p ON true;
  IF v_seen < p_limit THEN
    DELETE FROM audit.recall_look;
    INSERT INTO audit.beats (name, at) VALUES ('recall.cursor', least(v_look.began_at, v_look.skipped_at))
      ON CONFLICT (name) DO UPDATE SET at = excluded.at;
  ELSE
    INSERT INTO audit.recall_look SELECT v_look.* ON CONFLICT (one) DO UPDATE SET at = excluded.at,
      workflow_id = excluded.workflow_id, temporal_run_id = excluded.temporal_run_id, skipped_at = excluded.skipped_at;
  END IF;
  RETURN v_recalled;
END $$;
COMMENT ON FUNCTION audit.recall(integer) IS
  'Makes runs due again whose name another history claimed after their verdict, a portion of what was claimed; rok_audit only, each sweep.';
GRANT EXECUTE ON FUNCTION audit.recall(integer) TO rok_audit;

RESET ROLE;
