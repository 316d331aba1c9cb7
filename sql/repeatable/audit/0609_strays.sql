-- Functions, triggers, views and rights that belong to `migrations/audit/0609_strays.sql`.
SET ROLE rok_audit_owner;

GRANT SELECT, INSERT ON audit.strays TO rok_audit;
CREATE OR REPLACE TRIGGER no_delete BEFORE DELETE ON audit.strays FOR EACH ROW EXECUTE FUNCTION rok.refuse_change();
CREATE OR REPLACE TRIGGER no_truncate BEFORE TRUNCATE ON audit.strays FOR EACH STATEMENT EXECUTE FUNCTION rok.refuse_change();

-- The id of a run is not for the audit worker to give: a run that has a contract is judged by it, and never as a stray. An id
-- that is no run's is replaced, because it could be that of a run to come.
CREATE OR REPLACE FUNCTION audit.guard_stray() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = audit, pg_temp AS $$
BEGIN
  IF EXISTS (SELECT FROM audit.contracts c WHERE c.run_id = NEW.run_id) THEN
    RAISE EXCEPTION 'run % is no stray: it has a contract', NEW.run_id USING ERRCODE = '23514';
  END IF;
  -- The owner's hand may write history; a login's strays are still to be judged.
  IF NOT pg_has_role(session_user, 'rok_audit_owner', 'MEMBER') THEN
    NEW.settled_at := NULL;
    NEW.settled_as := NULL;
    IF NOT EXISTS (SELECT FROM decide.v_runs r WHERE r.run_id = NEW.run_id) THEN
      NEW.run_id := gen_random_uuid();
    END IF;
  END IF;
  RETURN NEW;
END $$;
COMMENT ON FUNCTION audit.guard_stray() IS
  'Trigger of audit.strays, as owner because it looks at what no login may write; called by nobody.';
CREATE OR REPLACE TRIGGER guard_stray BEFORE INSERT ON audit.strays FOR EACH ROW EXECUTE FUNCTION audit.guard_stray();

CREATE OR REPLACE VIEW audit.v_strays AS SELECT * FROM audit.strays;
GRANT SELECT ON audit.v_strays TO rok_audit, rok_decide, rok_decide_owner, rok_read;

CREATE OR REPLACE FUNCTION audit.stray_finding(p_stray audit.strays) RETURNS jsonb LANGUAGE sql STABLE PARALLEL SAFE AS $$
  SELECT jsonb_build_object('code', 'NO_CONTRACT', 'blocking', true, 'subject', p_stray.workflow_id,
    'detail', CASE WHEN EXISTS (SELECT FROM decide.v_runs r WHERE r.run_id = p_stray.run_id) THEN 'the run has no contract'
      ELSE 'the execution ' || p_stray.temporal_run_id || ' never opened a run' END)
$$;
COMMENT ON FUNCTION audit.stray_finding(audit.strays) IS 'What is said of a stray; for audit''s own functions.';

CREATE OR REPLACE FUNCTION audit.judge_strays(p_runs uuid[], p_limit integer) RETURNS TABLE (run_id uuid, revision integer, status text)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = audit, pg_temp AS $$
#variable_conflict use_column
DECLARE
  v_now timestamptz := clock_timestamp();
  v_page uuid[];
BEGIN
  SELECT array_agg(p.run_id) INTO v_page FROM (
    SELECT s.run_id FROM audit.strays s
    WHERE s.settled_at IS NULL AND s.due_at <= v_now AND CASE WHEN p_runs IS NULL
      THEN NOT EXISTS (SELECT FROM audit.set_aside a WHERE a.run_id = s.run_id) ELSE s.run_id = ANY (p_runs) END
    ORDER BY s.due_at LIMIT p_limit FOR UPDATE OF s SKIP LOCKED) p;
  IF p_runs IS NOT NULL THEN
    DELETE FROM audit.set_aside a WHERE a.run_id = ANY (v_page);
  END IF;
  RETURN QUERY
  WITH known AS (
    SELECT s.run_id, audit.stray_finding(s) AS finding,
           EXISTS (SELECT FROM decide.v_runs r JOIN audit.contracts c ON c.run_id = r.run_id JOIN decide.v_histories h ON h.run_id = r.run_id
             WHERE r.workflow_id = s.workflow_id AND h.temporal_run_id = s.temporal_run_id)
           OR EXISTS (SELECT FROM decide.v_refused_histories h
             WHERE (h.workflow_id, h.temporal_run_id) = (s.workflow_id, s.temporal_run_id)) AS opened
    FROM audit.strays s WHERE s.run_id = ANY (v_page)
  ), settled AS (
    UPDATE audit.strays s SET settled_at = v_now, settled_as = CASE WHEN k.opened THEN 'opened' ELSE 'judged' END
    FROM known k WHERE s.run_id = k.run_id
  )
  INSERT INTO audit.verdicts (run_id, revision, status, findings, facts, judged_at)
    SELECT k.run_id, 1, 'INCOMPLETE', jsonb_build_array(k.finding), '{}', v_now
    FROM known k WHERE NOT k.opened
    RETURNING run_id, revision, status;
END $$;
COMMENT ON FUNCTION audit.judge_strays(uuid[], integer) IS
  'Rules NO_CONTRACT on strays that are due and still have no run, among those given (NULL: any that is not set aside), a page at most; rok_audit only.';
GRANT EXECUTE ON FUNCTION audit.judge_strays(uuid[], integer) TO rok_audit;

RESET ROLE;
