-- What was executed against what was allowed: UNWARRANTED, UNKNOWN_RESULT, OVERRUN, MISMATCH, and who was refused.
SET ROLE rok_audit_owner;

CREATE FUNCTION audit.execution_findings(p_runs uuid[])
RETURNS TABLE (run_id uuid, code text, blocking boolean, subject text, detail text) LANGUAGE sql STABLE PARALLEL SAFE AS $$
  -- Attempts with which something is not as it should be: few, so what follows looks at few.
  WITH odd AS MATERIALIZED (
    SELECT t.run_id, t.step, t.attempt, 'step ' || t.step || ' attempt ' || t.attempt AS subject,
           d.run_id IS NOT NULL AS allowed, w.run_id IS NOT NULL AS warranted, s.status, s.cause
    FROM unnest(p_runs) AS p (run_id)
    JOIN execute.v_attempts t ON t.run_id = p.run_id
    LEFT JOIN decide.v_decisions d ON (d.run_id, d.step, d.attempt, d.action_digest, d.effect)
      = (t.run_id, t.step, t.attempt, t.action_digest, 'allow')
    LEFT JOIN decide.v_reservations w ON (w.run_id, w.step, w.attempt, w.nonce) = (t.run_id, t.step, t.attempt, t.nonce)
      AND w.state IN ('redeemed', 'settled', 'forfeited')
    LEFT JOIN execute.v_results s ON (s.run_id, s.step, s.attempt) = (t.run_id, t.step, t.attempt)
    WHERE d.run_id IS NULL OR w.run_id IS NULL OR s.status IS NULL OR s.status = 'unknown'
  )
  SELECT t.run_id, 'UNWARRANTED', true, t.subject,
         CASE WHEN NOT t.allowed THEN 'no decision allowed it' ELSE 'no warrant was redeemed for it' END
  FROM odd t WHERE NOT (t.allowed AND t.warranted)
  UNION ALL
  -- Of a read, of a model call, and of what a later attempt made good, the uncertainty cost money and no more.
  SELECT u.run_id, 'UNKNOWN_RESULT', NOT (u.mild OR u.made_good), u.subject,
         CASE WHEN u.made_good THEN u.cause || ', made good by a later attempt' ELSE u.cause END
  FROM (
    SELECT t.run_id, t.subject, coalesce(t.cause, 'no result') AS cause,
           coalesce(t.allowed AND (SELECT d.kind = 'model.call' OR d.access = 'read' FROM decide.v_decisions d
             WHERE (d.run_id, d.step, d.attempt) = (t.run_id, t.step, t.attempt)), false) AS mild,
           EXISTS (SELECT FROM execute.v_results later WHERE (later.run_id, later.step) = (t.run_id, t.step)
             AND later.attempt > t.attempt AND later.status = 'succeeded') AS made_good
    FROM odd t JOIN decide.v_runs r ON r.run_id = t.run_id
    WHERE t.status = 'unknown' OR (t.status IS NULL AND r.phase IN ('COMPLETED', 'FAILED'))) u
  UNION ALL
  -- Of a model that costs nothing, more tokens than were granted are all that shows.
  SELECT w.run_id, 'OVERRUN', true, 'step ' || w.step || ' attempt ' || w.attempt,
         concat_ws(' and ', nullif(w.over_micros, 0) || ' micro-USD', nullif(m.tokens, 0) || ' tokens') || ' above the grant'
  FROM unnest(p_runs) AS p (run_id) JOIN decide.v_reservations w ON w.run_id = p.run_id
  CROSS JOIN LATERAL (SELECT greatest(w.tokens - w.bound_tokens, 0) AS tokens) m
  WHERE w.over_micros > 0 OR m.tokens > 0
  UNION ALL
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
  SELECT h.run_id, 'REFUSED_HISTORY', false, h.temporal_run_id, h.code
  FROM unnest(p_runs) AS p (run_id) JOIN decide.v_refused_histories h ON h.run_id = p.run_id
  UNION ALL
  SELECT k.run_id, 'FORGED_APPROVAL', true, k.update_id, k.detail
  FROM unnest(p_runs) AS p (run_id) JOIN audit.approval_checks k ON k.run_id = p.run_id AND NOT k.ok
$$;
COMMENT ON FUNCTION audit.execution_findings(uuid[]) IS 'Attempts, money and outcome against decisions; for audit.judge only.';

RESET ROLE;
