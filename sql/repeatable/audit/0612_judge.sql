-- The judge: takes what is due under its lock, writes the ruling where it changed, and says when to look again.
SET ROLE rok_audit_owner;

CREATE OR REPLACE FUNCTION audit.judge(p_runs uuid[], p_limit integer)
RETURNS TABLE (run_id uuid, revision integer, status text, written boolean)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = audit, pg_temp
-- The statement is large: planned once per connection it takes 2 ms for one run, planned each time 20. A plan that is kept
-- must not depend on how small a table was when it was made, hence no scans of whole tables.
SET plan_cache_mode = force_generic_plan SET enable_seqscan = off SET enable_memoize = off SET jit = off AS $$
#variable_conflict use_column
DECLARE
  v_now timestamptz := clock_timestamp();
  v_page uuid[];
BEGIN
  -- A statement of its own, before the one that judges: what an ack wrote while this one waited or skipped must be
  -- visible to that one's snapshot. A contract that an ack holds is skipped, and judged the next time.
  IF p_runs IS NULL THEN
    SELECT array_agg(p.run_id) INTO v_page FROM (
      SELECT c.run_id FROM audit.contracts c
      WHERE c.judge_after <= v_now AND NOT EXISTS (SELECT FROM audit.set_aside a WHERE a.run_id = c.run_id)
      ORDER BY c.judge_after LIMIT p_limit FOR NO KEY UPDATE OF c SKIP LOCKED) p;
  ELSE
    SELECT array_agg(p.run_id) INTO v_page FROM (
      SELECT c.run_id FROM audit.contracts c WHERE c.judge_after <= v_now AND c.run_id = ANY (p_runs)
      ORDER BY c.judge_after LIMIT p_limit FOR NO KEY UPDATE SKIP LOCKED) p;
  END IF;
  IF v_page IS NULL THEN
    RETURN;
  END IF;
  v_now := clock_timestamp();
  -- What was set aside is asked for by name. That it can be judged now is known when all of this commits.
  IF p_runs IS NOT NULL THEN
    DELETE FROM audit.set_aside a WHERE a.run_id = ANY (v_page);
  END IF;
  -- Of many, the planner should know how many: it then reads tables once instead of looking up rows.
  IF cardinality(v_page) > 2000 THEN
    PERFORM set_config('plan_cache_mode', 'force_custom_plan', true), set_config('enable_seqscan', 'on', true);
  END IF;

  RETURN QUERY
  WITH ruled AS MATERIALIZED (
    SELECT * FROM audit.ruling(v_page, v_now)
  ), written AS (
    INSERT INTO audit.verdicts (run_id, revision, status, findings, facts, judged_at)
    SELECT u.run_id, coalesce(u.last_revision, 0) + 1, u.status, u.findings, f.facts, v_now
    FROM ruled u JOIN audit.facts(v_page) f ON f.run_id = u.run_id
    WHERE NOT u.pending AND (u.status, u.findings) IS DISTINCT FROM (u.last_status, u.last_findings)
    RETURNING run_id, revision, status
  ), looked AS (
    UPDATE audit.contracts c SET judge_after = CASE WHEN u.pending THEN u.finalize_due END
    FROM ruled u WHERE c.run_id = u.run_id
  )
  SELECT u.run_id, coalesce(w.revision, u.last_revision), coalesce(w.status, u.last_status), w.run_id IS NOT NULL
  FROM ruled u LEFT JOIN written w ON w.run_id = u.run_id;
END $$;
COMMENT ON FUNCTION audit.judge(uuid[], integer) IS
  'Judges what is due among the runs given (NULL: any that is not set aside), a page at most; rok_audit only. Definer, because the audit login may not write verdicts by hand. Answers every run it looked at with the verdict that stands, NULL while PENDING.';
GRANT EXECUTE ON FUNCTION audit.judge(uuid[], integer) TO rok_audit;

RESET ROLE;
