-- The trace against the rows that it tells of, both ways: HOLLOW and TRACE_BROKEN. What an event says beyond its name is
-- `rok verify`'s to read; here bytes are only searched, so that whatever they are, asking is no error.
SET ROLE rok_audit_owner;

-- Of a canonical text: a quotation mark inside a string has a backslash before it, so only a member itself reads like this.
CREATE OR REPLACE FUNCTION audit.says(p_bytes bytea, p_member text) RETURNS boolean LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT position(convert_to(p_member, 'UTF8') IN p_bytes) > 0
$$;
COMMENT ON FUNCTION audit.says(bytea, text) IS 'Whether an event has a member with a value, as canonical JSON writes both; for audit''s own functions.';

-- Runs whose trace was closed, with the event that closed it; `repaired`: by somebody who did not see what the run did before.
CREATE OR REPLACE FUNCTION audit.closed_traces(p_runs uuid[])
RETURNS TABLE (run_id uuid, kind text, outcome text, bytes bytea, length bigint, repaired boolean) LANGUAGE sql STABLE PARALLEL SAFE AS $$
  SELECT r.run_id, r.kind, r.outcome, e.bytes, h.length, x.repaired
  FROM unnest(p_runs) AS p (run_id)
  JOIN decide.v_runs r ON r.run_id = p.run_id
  JOIN observe.v_heads h ON h.run_id = r.run_id
  JOIN observe.v_events e ON e.run_id = r.run_id AND e.event_id = 'run.closing'
  CROSS JOIN LATERAL (SELECT (SELECT min(d.step) FROM decide.v_decisions d
    WHERE d.run_id = r.run_id AND d.kind = 'run.repair' AND d.effect = 'allow') IS NOT NULL AS repaired) x
$$;
COMMENT ON FUNCTION audit.closed_traces(uuid[]) IS 'For audit''s own functions.';

CREATE OR REPLACE FUNCTION audit.story_findings(p_runs uuid[])
RETURNS TABLE (run_id uuid, code text, blocking boolean, subject text, detail text) LANGUAGE sql STABLE PARALLEL SAFE AS $$
  WITH told AS (
    SELECT e.run_id, e.event_id, e.seq
    FROM unnest(p_runs) AS p (run_id) JOIN observe.v_events e ON e.run_id = p.run_id
    WHERE e.kind IN ('step.decided', 'step.executed', 'run.authorized', 'hold.opened', 'hold.resolved')
  ), there AS (
    -- A start that was allowed at once is told as `run.authorized`, one that was held at once by its hold; a run's outcome and
    -- its repair are told by the events that end it.
    SELECT d.run_id, CASE WHEN d.kind = 'run.start' AND d.effect = 'allow' AND d.attempt = 1 THEN 'run.authorized'
             ELSE d.step || '.' || d.attempt || '.decided' END AS event_id, 'decision' AS what, d.step, d.attempt
    FROM unnest(p_runs) AS p (run_id) JOIN decide.v_decisions d ON d.run_id = p.run_id
    WHERE d.kind NOT IN ('run.outcome', 'run.repair') AND NOT (d.kind = 'run.start' AND d.effect = 'pause' AND d.attempt = 1)
    UNION ALL
    SELECT d.run_id, 'run.authorized', 'decision', d.step, d.attempt
    FROM unnest(p_runs) AS p (run_id) JOIN decide.v_decisions d ON d.run_id = p.run_id AND d.step = 0
    WHERE d.kind = 'run.start' AND d.effect = 'allow' AND d.attempt > 1
    UNION ALL
    SELECT t.run_id, t.step || '.' || t.attempt || '.executed', 'attempt', t.step, t.attempt
    FROM unnest(p_runs) AS p (run_id) JOIN execute.v_attempts t ON t.run_id = p.run_id
    UNION ALL
    SELECT h.run_id, 'hold.' || h.hold || '.opened', 'hold', NULL, NULL
    FROM unnest(p_runs) AS p (run_id) JOIN decide.v_holds h ON h.run_id = p.run_id
    UNION ALL
    SELECT h.run_id, 'hold.' || h.hold || '.resolved', 'hold', NULL, NULL
    FROM unnest(p_runs) AS p (run_id) JOIN decide.v_holds h ON h.run_id = p.run_id
    WHERE h.resolution IS NOT NULL
  ), odd AS MATERIALIZED (
    SELECT run_id, event_id, told.seq, there.what, there.step, there.attempt
    FROM told FULL JOIN there USING (run_id, event_id)
    WHERE told.seq IS NULL OR there.what IS NULL
  )
  SELECT o.run_id, 'HOLLOW', true, 'event ' || o.event_id, 'there is no row that it tells of'
  FROM odd o
  WHERE o.what IS NULL
    -- What never began is told too, without a result: the warrant was refused, nobody took the step, or nothing was heard of it.
    AND NOT coalesce((SELECT e.kind = 'step.executed' AND audit.says(e.bytes, '"result":""')
        AND (audit.says(e.bytes, '"status":"failed"') OR audit.says(e.bytes, '"status":"unknown"')) FROM observe.v_events e WHERE e.run_id = o.run_id AND e.seq = o.seq), false)
  UNION ALL
  -- A run cut short (killed, past its time, repaired, ended by one of several steps under way) may not have heard of all that
  -- was written down for it. One that succeeded heard all; an own workflow may give up a step that nobody began.
  SELECT o.run_id, 'TRACE_BROKEN', true, 'event ' || o.event_id, 'the trace does not tell of this ' || o.what
  FROM odd o JOIN audit.closed_traces(p_runs) n ON n.run_id = o.run_id
  WHERE o.seq IS NULL AND n.outcome = 'succeeded' AND NOT n.repaired
    AND (n.kind = 'governedRun' OR (SELECT t.step FROM execute.v_attempts t
      WHERE (t.run_id, t.step, t.attempt) = (o.run_id, o.step, o.attempt)) IS NOT NULL)
$$;
COMMENT ON FUNCTION audit.story_findings(uuid[]) IS 'Which events have no row, and which rows no event; for audit.judge only.';

-- What single events say of their rows and of the whole trace.
CREATE OR REPLACE FUNCTION audit.event_findings(p_runs uuid[])
RETURNS TABLE (run_id uuid, code text, blocking boolean, subject text, detail text) LANGUAGE sql STABLE PARALLEL SAFE AS $$
  WITH closed AS (
    SELECT c.run_id, c.bytes, c.length, c.repaired, coalesce(f.refused, 0) AS refused
    FROM audit.closed_traces(p_runs) c
    LEFT JOIN (SELECT e.run_id, count(*) AS refused
      FROM unnest(p_runs) AS p (run_id) JOIN observe.v_events e ON e.run_id = p.run_id
      WHERE e.kind = 'call.refused' GROUP BY e.run_id) f ON f.run_id = c.run_id
  )
  -- Of several holds at once each is told with its own key and its own end, also where the run's end ended it.
  SELECT e.run_id, 'HOLLOW', true, 'event ' || e.event_id, 'it says of hold ' || h.hold || ' what its row does not'
  FROM unnest(p_runs) AS p (run_id)
  JOIN decide.v_holds h ON h.run_id = p.run_id
  CROSS JOIN LATERAL (SELECT 'hold.' || h.hold || '.opened' AS opened, 'hold.' || h.hold || '.resolved' AS resolved) n
  JOIN observe.v_events e ON e.run_id = h.run_id AND e.event_id IN (n.opened, n.resolved)
  WHERE NOT CASE e.event_id
    WHEN n.opened THEN audit.says(e.bytes, '"reason":"' || h.reason || '"') AND audit.says(e.bytes, '"step":' || h.step || ',')
      AND audit.says(e.bytes, '"attempt":' || h.attempt || ',')
      AND audit.says(e.bytes, '"action":"' || coalesce(h.action_digest, '') || '"')
    ELSE coalesce(audit.says(e.bytes, '"resolution":"' || h.resolution || '"'), false) END
  UNION ALL
  SELECT n.run_id, 'TRACE_BROKEN', true, 'event run.closing', 'it does not count the ' || n.length || ' events'
  FROM closed n
  WHERE NOT (audit.says(n.bytes, '"events":' || n.length || ',') OR audit.says(n.bytes, '"events":' || n.length || '}')
    -- Who repairs a run did not see what it did before.
    OR (n.repaired AND NOT audit.says(n.bytes, '"events":')))
  UNION ALL
  SELECT n.run_id, 'TRACE_BROKEN', true, 'event run.closing', 'it does not count the ' || n.refused || ' calls refused'
  FROM closed n
  WHERE NOT (audit.says(n.bytes, '"refused_calls":' || n.refused || '}') OR audit.says(n.bytes, '"refused_calls":' || n.refused || ',')
    OR ((n.repaired OR n.refused = 0) AND NOT audit.says(n.bytes, '"refused_calls":')))
$$;
COMMENT ON FUNCTION audit.event_findings(uuid[]) IS 'Events against what they say of holds and of the trace; for audit.judge only.';

RESET ROLE;
