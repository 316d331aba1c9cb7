-- The run's own row: its outcome, answer and profile against what was executed and declared (MISMATCH), and who was refused as
-- its history (REFUSED_HISTORY).
SET ROLE rok_audit_owner;

CREATE OR REPLACE FUNCTION audit.run_findings(p_runs uuid[])
RETURNS TABLE (run_id uuid, code text, blocking boolean, subject text, detail text) LANGUAGE sql STABLE PARALLEL SAFE AS $$
  SELECT m.run_id, 'MISMATCH', true, 'outcome', m.detail
  FROM (
    SELECT r.run_id, CASE
      WHEN (r.phase = 'COMPLETED') IS DISTINCT FROM (r.outcome = 'succeeded')
        THEN 'phase ' || r.phase || ', outcome ' || coalesce(r.outcome, 'none')
      WHEN r.outcome = 'succeeded' AND o.run_id IS NOT NULL THEN 'succeeded, with an incident'
      WHEN r.outcome <> 'succeeded' AND o.run_id IS NULL THEN r.outcome || ', without an incident'
    END AS detail
    FROM unnest(p_runs) AS p (run_id)
    JOIN decide.v_runs r ON r.run_id = p.run_id
    LEFT JOIN execute.v_incident_occurrences o ON o.run_id = r.run_id
    WHERE r.phase IN ('COMPLETED', 'FAILED')) m
  WHERE m.detail IS NOT NULL
  UNION ALL
  -- The answer of a run of an agent is what its model said last; an own workflow may have none, but no other.
  SELECT r.run_id, 'MISMATCH', true, 'answer', CASE
           WHEN r.answer IS NULL THEN 'succeeded, without an answer'
           WHEN r.kind = 'governedRun' AND r.outcome = 'succeeded' THEN 'it is not what the last model call that succeeded gave'
           ELSE 'it is not what an attempt that succeeded gave' END
  FROM unnest(p_runs) AS p (run_id)
  JOIN decide.v_runs r ON r.run_id = p.run_id
  WHERE CASE WHEN r.kind = 'governedRun' AND r.outcome = 'succeeded' THEN
      r.answer IS DISTINCT FROM (SELECT s.content_digest FROM execute.v_results s
        WHERE s.run_id = r.run_id AND s.status = 'succeeded' AND (SELECT d.kind FROM decide.v_decisions d
          WHERE (d.run_id, d.step, d.attempt) = (s.run_id, s.step, s.attempt)) = 'model.call'
        ORDER BY s.step DESC, s.attempt DESC LIMIT 1) OR r.answer IS NULL
    ELSE r.answer IS NOT NULL AND NOT EXISTS (SELECT FROM execute.v_results s
      WHERE s.run_id = r.run_id AND s.status = 'succeeded' AND s.content_digest = r.answer) END
  UNION ALL
  SELECT h.run_id, 'REFUSED_HISTORY', false, h.temporal_run_id, h.code
  FROM unnest(p_runs) AS p (run_id) JOIN decide.v_refused_histories h ON h.run_id = p.run_id
  UNION ALL
  SELECT c.run_id, 'MISMATCH', true, 'profile', 'declared ' || c.profile || ', and the tenant is stricter'
  FROM unnest(p_runs) AS p (run_id) JOIN audit.contracts c ON c.run_id = p.run_id
  WHERE c.profile <> 'STRICT' AND audit.strictness(c.profile) < audit.least_strictness(c.tenant, c.declared_at)
$$;
COMMENT ON FUNCTION audit.run_findings(uuid[]) IS 'The run''s row against what was executed and declared; for audit.judge only.';

RESET ROLE;
