-- The contract against the acks: MISSING, LATE, FAILED, ROLLED_BACK, DRIFT.
SET ROLE rok_audit_owner;

CREATE OR REPLACE FUNCTION audit.promise_findings(p_runs uuid[], p_now timestamptz)
RETURNS TABLE (run_id uuid, code text, blocking boolean, subject text, detail text) LANGUAGE sql STABLE PARALLEL SAFE AS $$
  WITH acked AS (
    SELECT a.run_id, a.domain, a.action, count(*) AS acks,
           min(a.at) FILTER (WHERE a.status = 'done') AS done_at,
           -- What the last one says: the greatest number, with its status in the last digit.
           max(a.n * 10::bigint + CASE a.status WHEN 'failed' THEN 1 WHEN 'rolled_back' THEN 2 ELSE 0 END) % 10 AS last_status
    FROM unnest(p_runs) AS p (run_id) JOIN audit.acks a ON a.run_id = p.run_id
    GROUP BY a.run_id, a.domain, a.action
  ), promise AS (
    SELECT e.run_id, e.domain, e.action, e.action = 'finalize_run' AND e.domain = 'orchestrator' AS liveness,
           CASE e.due WHEN 'finalize' THEN c.finalize_due ELSE e.due_at END AS due_at,
           e.condition = 'always' OR (r.outcome IS NOT NULL AND r.outcome <> 'succeeded') AS holds,
           f.done_at IS NOT NULL AS final,
           k.acks, k.done_at, k.last_status
    FROM unnest(p_runs) AS p (run_id)
    JOIN audit.contracts c ON c.run_id = p.run_id
    JOIN audit.expectations e ON e.run_id = c.run_id
    LEFT JOIN decide.v_runs r ON r.run_id = c.run_id
    LEFT JOIN acked k ON (k.run_id, k.domain, k.action) = (e.run_id, e.domain, e.action)
    LEFT JOIN acked f ON (f.run_id, f.domain, f.action) = (c.run_id, 'orchestrator', 'finalize_run')
  ), broken AS MATERIALIZED (
    SELECT p.*, p.domain || '/' || p.action AS subject FROM promise p
    WHERE p.acks IS NULL OR p.done_at IS NULL OR p.last_status > 0 OR p.done_at > p.due_at
  )
  -- Of a run that is final nothing more is to come, so what is not there by then is missing before its due time too.
  SELECT p.run_id, 'MISSING', true, p.subject, 'not acknowledged by ' || audit.iso(p.due_at)
  FROM broken p
  WHERE p.holds AND (p.final OR p.due_at < p_now)
    AND CASE WHEN p.liveness THEN p.done_at IS NULL ELSE p.acks IS NULL END
  UNION ALL
  SELECT p.run_id, 'LATE', p.liveness, p.subject, 'due ' || audit.iso(p.due_at) || ', acknowledged ' || audit.iso(p.done_at)
  FROM broken p WHERE p.holds AND p.done_at > p.due_at
  UNION ALL
  SELECT p.run_id, CASE p.last_status WHEN 1 THEN 'FAILED' ELSE 'ROLLED_BACK' END, true, p.subject,
         CASE p.last_status WHEN 1 THEN 'acknowledged as failed' ELSE 'acknowledged as rolled_back' END
  FROM broken p WHERE p.last_status > 0
  UNION ALL
  SELECT k.run_id, 'DRIFT', false, k.domain || '/' || k.action, 'acknowledged, never expected'
  FROM acked k
  WHERE NOT EXISTS (SELECT FROM audit.expectations e
    WHERE (e.run_id, e.domain, e.action) = (k.run_id, k.domain, k.action))
$$;
COMMENT ON FUNCTION audit.promise_findings(uuid[], timestamptz) IS 'The contract against the acks; for audit.judge only.';

RESET ROLE;
