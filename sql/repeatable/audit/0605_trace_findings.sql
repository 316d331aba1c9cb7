-- TRACE_BROKEN: the head against the events, and what the samples found; ALTERED: what they found of other rows. Hashing every event again is `rok verify`'s work.
SET ROLE rok_audit_owner;

CREATE OR REPLACE FUNCTION audit.trace_findings(p_runs uuid[])
RETURNS TABLE (run_id uuid, code text, blocking boolean, subject text, detail text) LANGUAGE sql STABLE PARALLEL SAFE AS $$
  SELECT t.run_id, 'TRACE_BROKEN', true, 'trace', t.detail
  FROM (
    SELECT c.run_id, CASE
      WHEN h.run_id IS NULL THEN 'no head'
      WHEN e.events <> h.length THEN 'the head says ' || h.length || ' events, there are ' || e.events
      -- So many different numbers from 1 on, none above that many: then none is missing.
      WHEN e.last_seq <> h.length THEN 'the numbers are not contiguous'
      WHEN coalesce((SELECT l.hash FROM observe.v_events l WHERE l.run_id = c.run_id AND l.seq = h.length), c.digest) <> h.hash
        THEN 'the head is not the hash of the last event'
      WHEN h.closed_at IS NULL AND (SELECT min(a.at) FROM audit.acks a WHERE a.run_id = c.run_id
          AND a.domain = 'orchestrator' AND a.action = 'finalize_run' AND a.status = 'done') IS NOT NULL
        THEN 'not closed'
    END AS detail
    FROM unnest(p_runs) AS p (run_id)
    JOIN audit.contracts c ON c.run_id = p.run_id
    LEFT JOIN observe.v_heads h ON h.run_id = c.run_id
    CROSS JOIN LATERAL (
      SELECT count(*) AS events, max(x.seq) AS last_seq FROM observe.v_events x WHERE x.run_id = p.run_id) e) t
  WHERE t.detail IS NOT NULL
  UNION ALL
  SELECT DISTINCT k.run_id, 'TRACE_BROKEN', true, 'event ' || k.broken_seq, k.detail
  FROM unnest(p_runs) AS p (run_id) JOIN audit.trace_checks k ON k.run_id = p.run_id AND NOT k.ok
  UNION ALL
  SELECT k.run_id, 'ALTERED', true, k.what, k.detail
  FROM unnest(p_runs) AS p (run_id) JOIN audit.altered k ON k.run_id = p.run_id
$$;
COMMENT ON FUNCTION audit.trace_findings(uuid[]) IS 'The trace''s head against its events, and what the samples found; for audit.judge only.';

RESET ROLE;
