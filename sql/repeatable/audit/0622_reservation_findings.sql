-- Reservations that no attempt explains (MISMATCH), and those that cost more than was granted (OVERRUN).
SET ROLE rok_audit_owner;

CREATE OR REPLACE FUNCTION audit.reservation_findings(p_runs uuid[])
RETURNS TABLE (run_id uuid, code text, blocking boolean, subject text, detail text) LANGUAGE sql STABLE PARALLEL SAFE AS $$
  SELECT w.run_id, 'MISMATCH', true, 'step ' || w.step || ' attempt ' || w.attempt,
         CASE w.state WHEN 'released' THEN 'released, and charged' WHEN 'issued' THEN 'issued when the run had ended'
           ELSE w.state || ' without an attempt' END
  FROM unnest(p_runs) AS p (run_id)
  JOIN decide.v_reservations w ON w.run_id = p.run_id
  JOIN decide.v_runs r ON r.run_id = w.run_id
  LEFT JOIN execute.v_attempts t ON (t.run_id, t.step, t.attempt) = (w.run_id, w.step, w.attempt)
  WHERE t.run_id IS NULL AND CASE w.state
    WHEN 'released' THEN (w.spent_micros, w.over_micros, w.tokens) IS DISTINCT FROM (0::bigint, 0::bigint, 0::bigint)
    WHEN 'issued' THEN r.phase IN ('COMPLETED', 'FAILED')
    ELSE true END
  UNION ALL
  -- Of a model that costs nothing, more tokens than were granted are all that shows. An answer is held against its own limit
  -- and a prompt against its own bound: what one left over does not excuse the other.
  SELECT w.run_id, 'OVERRUN', true, 'step ' || w.step || ' attempt ' || w.attempt,
         concat_ws(' and ', nullif(w.over_micros, 0) || ' micro-USD', nullif(m.tokens, 0) || ' tokens') || ' above the grant'
  FROM unnest(p_runs) AS p (run_id) JOIN decide.v_reservations w ON w.run_id = p.run_id
  CROSS JOIN LATERAL (SELECT greatest(w.tokens - w.bound_tokens, w.output_tokens - w.granted_output,
    w.tokens - w.output_tokens - (w.bound_tokens - w.granted_output), 0) AS tokens) m
  WHERE w.over_micros > 0 OR m.tokens > 0
$$;
COMMENT ON FUNCTION audit.reservation_findings(uuid[]) IS 'Reservations against attempts and grants; for audit.judge only.';

RESET ROLE;
