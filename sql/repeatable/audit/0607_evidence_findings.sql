-- The acks against the rows that they point at: HOLLOW.
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

CREATE OR REPLACE FUNCTION audit.evidence_findings(p_runs uuid[])
RETURNS TABLE (run_id uuid, code text, blocking boolean, subject text, detail text) LANGUAGE sql STABLE PARALLEL SAFE AS $$
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
$$;
COMMENT ON FUNCTION audit.evidence_findings(uuid[]) IS 'The acks against the rows that they point at; for audit.judge only.';

RESET ROLE;
