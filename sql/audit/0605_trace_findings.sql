-- TRACE_BROKEN: the head against the events, and what the samples found. Hashing every event again is `rok verify`'s work.
SET ROLE rok_audit_owner;

CREATE FUNCTION audit.trace_findings(p_runs uuid[])
RETURNS TABLE (run_id uuid, code text, blocking boolean, subject text, detail text) LANGUAGE sql STABLE AS $$
  SELECT t.run_id, 'TRACE_BROKEN', true, 'trace', t.detail
  FROM (
    SELECT c.run_id, CASE
      WHEN h.run_id IS NULL THEN 'no head'
      WHEN e.events <> h.length THEN 'the head says ' || h.length || ' events, there are ' || e.events
      WHEN h.length > 0 AND (e.first_seq, e.last_seq) <> (1, h.length) THEN 'the numbers are not contiguous'
      WHEN coalesce(l.hash, c.digest) <> h.hash THEN 'the head is not the hash of the last event'
      WHEN h.closed_at IS NULL AND EXISTS (SELECT FROM audit.acks a WHERE a.run_id = c.run_id
          AND a.domain = 'orchestrator' AND a.action = 'finalize_run' AND a.status = 'done')
        THEN 'not closed'
    END AS detail
    FROM audit.contracts c
    LEFT JOIN observe.v_heads h ON h.run_id = c.run_id
    LEFT JOIN (
      SELECT x.run_id, count(*) AS events, min(x.seq) AS first_seq, max(x.seq) AS last_seq
      FROM observe.v_events x WHERE x.run_id = ANY (p_runs) GROUP BY x.run_id
    ) counted ON counted.run_id = c.run_id
    CROSS JOIN LATERAL (
      SELECT coalesce(counted.events, 0) AS events, counted.first_seq, counted.last_seq) e
    LEFT JOIN observe.v_events l ON l.run_id = c.run_id AND l.seq = h.length
    WHERE c.run_id = ANY (p_runs)) t
  WHERE t.detail IS NOT NULL
  UNION ALL
  SELECT DISTINCT k.run_id, 'TRACE_BROKEN', true, 'event ' || k.broken_seq, k.detail
  FROM audit.trace_checks k WHERE k.run_id = ANY (p_runs) AND NOT k.ok
$$;
COMMENT ON FUNCTION audit.trace_findings(uuid[]) IS 'The trace''s head against its events; for audit.judge only.';

RESET ROLE;
