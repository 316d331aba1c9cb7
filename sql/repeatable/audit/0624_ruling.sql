-- The verdict: one set-based statement, the same for one run and for a million. It reads; audit.judge writes what it says.
SET ROLE rok_audit_owner;

-- `p_anew`: as if no verdict stood.
CREATE OR REPLACE FUNCTION audit.ruling(p_runs uuid[], p_now timestamptz, p_anew boolean DEFAULT false)
RETURNS TABLE (run_id uuid, finalize_due timestamptz, pending boolean, status text, findings jsonb,
  last_revision integer, last_status text, last_findings jsonb)
LANGUAGE sql STABLE PARALLEL SAFE AS $$
  WITH due AS (
    SELECT c.run_id, c.finalize_due,
           -- Nobody said it is final, and it is not yet too late: PENDING.
           f.done_at IS NULL AND c.finalize_due >= p_now AS pending,
           CASE WHEN f.done_at IS NULL THEN c.finalize_due < p_now ELSE f.done_at > c.finalize_due END AS stale,
           l.revision AS last_revision, l.status AS last_status, l.findings AS last_findings
    FROM unnest(p_runs) AS p (run_id)
    JOIN audit.contracts c ON c.run_id = p.run_id
    LEFT JOIN (
      SELECT a.run_id, min(a.at) AS done_at FROM unnest(p_runs) AS p (run_id) JOIN audit.acks a ON a.run_id = p.run_id
      WHERE a.domain = 'orchestrator' AND a.action = 'finalize_run' AND a.status = 'done' GROUP BY a.run_id
    ) f ON f.run_id = c.run_id
    LEFT JOIN LATERAL (SELECT v.revision, v.status, v.findings FROM audit.verdicts v WHERE v.run_id = c.run_id
      ORDER BY v.revision DESC LIMIT 1) l ON NOT p_anew
  ), found AS (
    SELECT * FROM audit.promise_findings(p_runs, p_now)
    UNION SELECT * FROM audit.evidence_findings(p_runs)
    UNION SELECT * FROM audit.execution_findings(p_runs)
    UNION SELECT * FROM audit.reservation_findings(p_runs)
    UNION SELECT * FROM audit.run_findings(p_runs)
    UNION SELECT * FROM audit.trace_findings(p_runs)
    UNION SELECT * FROM audit.story_findings(p_runs)
    UNION SELECT * FROM audit.event_findings(p_runs)
    UNION SELECT * FROM audit.approval_findings(p_runs)
    UNION SELECT * FROM audit.requester_findings(p_runs)
    UNION SELECT * FROM audit.approval_use_findings(p_runs)
    -- What blocked once, blocks: a verdict only worsens.
    UNION SELECT d.run_id, o.code, o.blocking, o.subject, o.detail
      FROM due d CROSS JOIN LATERAL jsonb_to_recordset(d.last_findings) AS o (code text, blocking boolean, subject text, detail text)
      WHERE o.blocking
  ), listed AS (
    SELECT x.run_id, bool_or(x.blocking) AS blocking,
           jsonb_agg(
             jsonb_build_object('code', x.code, 'blocking', x.blocking, 'subject', x.subject, 'detail', x.detail)
             ORDER BY x.blocking DESC, x.code COLLATE "C", x.subject COLLATE "C", x.detail COLLATE "C") AS findings
    FROM found x GROUP BY x.run_id
  ), ruled AS (
    SELECT d.*, coalesce(x.findings, '[]') AS findings,
           CASE WHEN d.stale THEN 'STALE' WHEN x.blocking THEN 'INCOMPLETE' ELSE 'COMPLETE' END AS status
    FROM due d LEFT JOIN listed x ON x.run_id = d.run_id
  )
  SELECT u.run_id, u.finalize_due, u.pending,
         CASE WHEN audit.badness(u.last_status) > audit.badness(u.status) THEN u.last_status ELSE u.status END,
         u.findings, u.last_revision, u.last_status, u.last_findings
  FROM ruled u
$$;
COMMENT ON FUNCTION audit.ruling(uuid[], timestamptz, boolean) IS
  'What the verdict on each of these runs is at a moment, beside the one that stands; for audit.judge, and to measure it.';

RESET ROLE;
