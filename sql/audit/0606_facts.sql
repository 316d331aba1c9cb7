-- What a receipt states beside the verdict, counted in the judge's own statement so that both speak of one moment.
SET ROLE rok_audit_owner;

CREATE FUNCTION audit.facts(p_runs uuid[])
RETURNS TABLE (run_id uuid, facts jsonb) LANGUAGE sql STABLE AS $$
  WITH decided AS (
    SELECT d.run_id,
           count(*) FILTER (WHERE d.effect = 'allow') AS allow,
           count(*) FILTER (WHERE d.effect = 'deny') AS deny,
           count(*) FILTER (WHERE d.effect = 'pause') AS pause,
           to_jsonb(array_agg(DISTINCT d.policy_set_digest)) AS policy_sets,
           to_jsonb(array_agg(DISTINCT d.price_table_digest)) AS price_tables
    FROM decide.v_decisions d WHERE d.run_id = ANY (p_runs) GROUP BY d.run_id
  ), tried AS (
    SELECT t.run_id, count(*) AS attempts, count(*) FILTER (WHERE s.status IS NULL OR s.status = 'unknown') AS unknowns
    FROM execute.v_attempts t
    LEFT JOIN execute.v_results s ON (s.run_id, s.step, s.attempt) = (t.run_id, t.step, t.attempt)
    WHERE t.run_id = ANY (p_runs) GROUP BY t.run_id
  ), paid AS (
    SELECT w.run_id, sum(w.spent_micros) AS micros, sum(w.tokens) AS tokens
    FROM decide.v_reservations w WHERE w.run_id = ANY (p_runs) GROUP BY w.run_id
  )
  SELECT c.run_id, jsonb_build_object(
    'phase', r.phase,
    'outcome', r.outcome,
    'traceLength', coalesce(h.length, 0)::text,
    'traceHash', encode(h.hash, 'hex'),
    'allow', coalesce(d.allow, 0),
    'deny', coalesce(d.deny, 0),
    'pause', coalesce(d.pause, 0),
    'attempts', coalesce(t.attempts, 0),
    'unknowns', coalesce(t.unknowns, 0),
    'spentMicros', coalesce(p.micros, 0)::text,
    'spentTokens', coalesce(p.tokens, 0)::text,
    'policySets', coalesce(d.policy_sets, '[]'),
    'priceTables', coalesce(d.price_tables, '[]'))
  FROM audit.contracts c
  LEFT JOIN decide.v_runs r ON r.run_id = c.run_id
  LEFT JOIN observe.v_heads h ON h.run_id = c.run_id
  LEFT JOIN decided d ON d.run_id = c.run_id
  LEFT JOIN tried t ON t.run_id = c.run_id
  LEFT JOIN paid p ON p.run_id = c.run_id
  WHERE c.run_id = ANY (p_runs)
$$;
COMMENT ON FUNCTION audit.facts(uuid[]) IS 'Counts for the receipt; for audit.judge only.';

RESET ROLE;
