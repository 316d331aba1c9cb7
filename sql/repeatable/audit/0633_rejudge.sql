-- Judged again by anyone who may read: what the rows come to now, as if no verdict stood. It writes nothing.
SET ROLE rok_audit_owner;

CREATE OR REPLACE FUNCTION audit.rejudge(p_run uuid)
RETURNS TABLE (status text, findings jsonb, facts jsonb)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = audit, pg_temp
-- As audit.judge, and for its reasons.
SET plan_cache_mode = force_generic_plan SET enable_seqscan = off SET enable_memoize = off SET jit = off AS $$
BEGIN
  RETURN QUERY
  SELECT CASE WHEN u.pending THEN 'PENDING' ELSE u.status END, u.findings, f.facts
  FROM audit.ruling(ARRAY[p_run], clock_timestamp(), true) u JOIN audit.facts(ARRAY[p_run]) f USING (run_id);
END $$;
COMMENT ON FUNCTION audit.rejudge(uuid) IS
  'What the verdict on a run would be if it were judged for the first time now, with what a receipt would count; for rok_read, and for a tenant''s auditors through auditor.rejudge. Definer, because the judge reads tables that readers do not; STABLE, so that it cannot write.';
GRANT EXECUTE ON FUNCTION audit.rejudge(uuid) TO rok_read;

RESET ROLE;
