-- Contract against acks and evidence: MISSING, LATE, FAILED, ROLLED_BACK, HOLLOW, DRIFT.
SET ROLE rok_audit_owner;

-- Where the evidence of a domain must lie: an ack that points elsewhere proves nothing.
CREATE OR REPLACE FUNCTION audit.evidence_of(p_domain text) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT CASE p_domain
    WHEN 'logs' THEN 'observe.events'
    WHEN 'policies' THEN 'execute.evaluations'
    WHEN 'incidents' THEN 'execute.incident_occurrences'
    WHEN 'orchestrator' THEN 'decide.runs'
  END
$$;
COMMENT ON FUNCTION audit.evidence_of(text) IS 'The table that a domain''s acks point at; for audit''s own functions.';

-- The number of an event as an ack names it: a whole JSON number, else NULL, which is no event's.
CREATE OR REPLACE FUNCTION audit.seq_of(p_evidence jsonb) RETURNS bigint LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT CASE WHEN jsonb_typeof(p_evidence -> 'seq') = 'number' AND p_evidence ->> 'seq' ~ '^[1-9][0-9]{0,17}$'
    THEN (p_evidence ->> 'seq')::bigint END
$$;
COMMENT ON FUNCTION audit.seq_of(jsonb) IS 'The event that an ack points at; for audit''s own functions.';

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
  SELECT a.run_id, 'HOLLOW', true, a.domain || '/' || a.action, 'ack ' || a.n || ': ' || a.lie
  FROM (
    SELECT a.run_id, a.domain, a.action, a.n, CASE
      WHEN a.evidence ->> 'table' IS DISTINCT FROM audit.evidence_of(a.domain)
        THEN 'the evidence is not a row of ' || coalesce(audit.evidence_of(a.domain), 'any domain')
      -- It need not name its run; what it names must be this one.
      WHEN a.evidence ->> 'run' <> 'run_' || a.run_id THEN 'the evidence is another run''s'
      -- A scalar, so that it is looked up: as EXISTS, of many runs the planner hashes every event there is.
      WHEN a.domain = 'logs' AND (SELECT e.seq FROM observe.v_events e
          WHERE e.run_id = a.run_id AND e.seq = audit.seq_of(a.evidence)) IS NULL
        THEN 'no such event'
      WHEN a.domain = 'policies' AND v.run_id IS NULL THEN 'no evaluation'
      WHEN a.domain = 'policies' AND (SELECT d.step FROM decide.v_decisions d
          WHERE (d.run_id, d.step, d.attempt) = (v.run_id, v.step, v.attempt) AND d.kind IN ('run.outcome', 'run.repair')) IS NULL
        THEN 'the evaluation names no decision about the outcome'
      WHEN a.domain = 'policies' AND v.outcome IS DISTINCT FROM r.outcome
        THEN 'the evaluation says ' || v.outcome || ', the run ' || coalesce(r.outcome, 'nothing')
      WHEN a.domain = 'incidents' AND o.run_id IS NULL THEN 'no incident'
      WHEN a.domain = 'incidents' AND o.outcome IS DISTINCT FROM r.outcome
        THEN 'the incident says ' || o.outcome || ', the run ' || coalesce(r.outcome, 'nothing')
      WHEN a.domain = 'orchestrator' AND r.phase IS NULL THEN 'no such run'
      WHEN a.domain = 'orchestrator' AND r.phase NOT IN ('COMPLETED', 'FAILED') THEN 'the run is in phase ' || r.phase
    END AS lie
    FROM unnest(p_runs) AS p (run_id)
    JOIN audit.acks a ON a.run_id = p.run_id
    LEFT JOIN decide.v_runs r ON r.run_id = a.run_id
    LEFT JOIN execute.v_evaluations v ON v.run_id = a.run_id
    LEFT JOIN execute.v_incident_occurrences o ON o.run_id = a.run_id
    WHERE a.status = 'done') a
  WHERE a.lie IS NOT NULL
  UNION ALL
  SELECT k.run_id, 'DRIFT', false, k.domain || '/' || k.action, 'acknowledged, never expected'
  FROM acked k
  WHERE NOT EXISTS (SELECT FROM audit.expectations e
    WHERE (e.run_id, e.domain, e.action) = (k.run_id, k.domain, k.action))
$$;
COMMENT ON FUNCTION audit.promise_findings(uuid[], timestamptz) IS 'Contract against acks and evidence; for audit.judge only.';

RESET ROLE;
