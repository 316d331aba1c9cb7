-- What a receipt states beside the verdict, counted in the judge's own statement so that both speak of one moment.
SET ROLE rok_audit_owner;

CREATE OR REPLACE FUNCTION audit.facts(p_runs uuid[])
RETURNS TABLE (run_id uuid, facts jsonb) LANGUAGE sql STABLE PARALLEL SAFE AS $$
  -- Grouped first by what mostly is one and the same: the digests are sorted once per group, not once per decision.
  WITH grouped AS (
    SELECT d.run_id, d.effect, d.policy_set_digest, d.price_table_digest, count(*) AS decisions
    FROM unnest(p_runs) AS p (run_id) JOIN decide.v_decisions d ON d.run_id = p.run_id GROUP BY 1, 2, 3, 4
  ), decided AS (
    SELECT d.run_id,
           coalesce(sum(d.decisions) FILTER (WHERE d.effect = 'allow'), 0)::bigint AS allow,
           coalesce(sum(d.decisions) FILTER (WHERE d.effect = 'deny'), 0)::bigint AS deny,
           coalesce(sum(d.decisions) FILTER (WHERE d.effect = 'pause'), 0)::bigint AS pause,
           to_jsonb(array_agg(DISTINCT d.policy_set_digest)) AS policy_sets,
           to_jsonb(array_agg(DISTINCT d.price_table_digest)) AS price_tables
    FROM grouped d GROUP BY d.run_id
  ), tried AS (
    SELECT t.run_id, count(*) AS attempts, count(*) FILTER (WHERE s.status IS NULL OR s.status = 'unknown') AS unknowns
    FROM unnest(p_runs) AS p (run_id) JOIN execute.v_attempts t ON t.run_id = p.run_id
    LEFT JOIN execute.v_results s ON (s.run_id, s.step, s.attempt) = (t.run_id, t.step, t.attempt)
    GROUP BY t.run_id
  ), paid AS (
    SELECT w.run_id, sum(w.spent_micros) AS micros, sum(w.tokens) AS tokens
    FROM unnest(p_runs) AS p (run_id) JOIN decide.v_reservations w ON w.run_id = p.run_id GROUP BY w.run_id
  ), refused AS (
    SELECT e.run_id, count(*) AS calls
    FROM unnest(p_runs) AS p (run_id) JOIN observe.v_events e ON e.run_id = p.run_id AND e.kind = 'call.refused' GROUP BY e.run_id
  )
  SELECT c.run_id, jsonb_build_object(
    'phase', r.phase,
    'outcome', r.outcome,
    'traceLength', coalesce(h.length, 0)::text,
    'traceHash', encode(h.hash, 'hex'),
    'allow', coalesce(d.allow, 0),
    'deny', coalesce(d.deny, 0),
    'pause', coalesce(d.pause, 0),
    'refusedCalls', coalesce(u.calls, 0),
    'attempts', coalesce(t.attempts, 0),
    'unknowns', coalesce(t.unknowns, 0),
    'spentMicros', coalesce(s.micros, 0)::text,
    'spentTokens', coalesce(s.tokens, 0)::text,
    'policySets', coalesce(d.policy_sets, '[]'),
    'priceTables', coalesce(d.price_tables, '[]'))
  FROM unnest(p_runs) AS p (run_id)
  JOIN audit.contracts c ON c.run_id = p.run_id
  LEFT JOIN decide.v_runs r ON r.run_id = c.run_id
  LEFT JOIN observe.v_heads h ON h.run_id = c.run_id
  LEFT JOIN decided d ON d.run_id = c.run_id
  LEFT JOIN tried t ON t.run_id = c.run_id
  LEFT JOIN paid s ON s.run_id = c.run_id
  LEFT JOIN refused u ON u.run_id = c.run_id
$$;
COMMENT ON FUNCTION audit.facts(uuid[]) IS 'Counts for the receipt; for audit.judge only.';

RESET ROLE;
