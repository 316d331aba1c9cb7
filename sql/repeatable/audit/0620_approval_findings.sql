-- Who said that it may be: FORGED_APPROVAL where a hold, a start or a profile stands on less than was asked, and UNWARRANTED
-- where an approval served what it was not given for. Judged from the acts as they are stored and from audit's own checks.
SET ROLE rok_audit_owner;

-- Whether roles may answer for an authority; the same as the grants that ship with the deciders.
CREATE OR REPLACE FUNCTION audit.may_answer(p_verb text, p_roles text[], p_authority text) RETURNS boolean LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT 'admin' = ANY (p_roles) OR CASE p_verb
    WHEN 'raise_budget' THEN 'approver:finance' = ANY (p_roles)
    WHEN 'resume' THEN true
    ELSE 'approver:' || p_authority = ANY (p_roles) OR (p_authority = 'operator' AND 'operator' = ANY (p_roles)) END
$$;
COMMENT ON FUNCTION audit.may_answer(text, text[], text) IS 'For audit''s own functions.';

CREATE OR REPLACE FUNCTION audit.approval_findings(p_runs uuid[])
RETURNS TABLE (run_id uuid, code text, blocking boolean, subject text, detail text) LANGUAGE sql STABLE PARALLEL SAFE AS $$
  WITH held AS MATERIALIZED (
    SELECT h.run_id, h.hold, h.step, h.attempt, h.action_digest, h.reason, h.authority, h.quorum, h.opened_at, h.until,
           h.resolved_at, h.resolution, r.requester, c.profile,
           CASE h.resolution WHEN 'approved' THEN 'approve' WHEN 'rejected' THEN 'reject' WHEN 'resumed' THEN 'resume'
             WHEN 'raised' THEN 'raise_budget' END AS verb,
           CASE WHEN h.resolution = 'approved' THEN h.quorum ELSE 1 END AS needed
    FROM unnest(p_runs) AS p (run_id)
    JOIN decide.v_holds h ON h.run_id = p.run_id
    JOIN decide.v_runs r ON r.run_id = h.run_id
    JOIN audit.contracts c ON c.run_id = h.run_id
  ), voiced AS (
    SELECT h.run_id, h.hold, h.resolution, h.needed, (
      -- As many persons as the deciders counted, and as the audit made out by itself where it has looked already.
      SELECT least(count(DISTINCT a.person), count(DISTINCT coalesce(k.person, a.person))) FROM decide.v_acts a
      LEFT JOIN audit.approval_checks k ON k.run_id = a.run_id AND k.update_id = a.update_id
      LEFT JOIN audit.approval_checks q ON q.run_id = a.run_id AND q.update_id = 'start'
      WHERE a.run_id = h.run_id AND a.verb = h.verb AND a.allowed
        -- A raise ends every hold that waited for what it raised.
        AND (a.hold = h.hold OR h.verb = 'raise_budget' AND EXISTS (SELECT FROM decide.v_raises x
          WHERE (x.run_id, x.update_id) = (a.run_id, a.update_id) AND h.hold = ANY (x.holds)))
        -- Given while the hold was open, by the clock that stamped both.
        AND a.at >= h.opened_at AND a.at <= h.resolved_at AND a.at < h.until
        AND (h.verb IN ('resume', 'raise_budget') OR a.action_digest IS NOT DISTINCT FROM h.action_digest)
        AND (h.verb = 'resume' OR (a.person IS DISTINCT FROM h.requester AND (k.person = q.person) IS NOT TRUE))
        AND audit.may_answer(h.verb, a.roles, h.authority)
        AND (h.profile <> 'STRICT' OR a.assertion IS NOT NULL)
        AND k.ok IS NOT FALSE) AS voices
    FROM held h WHERE h.verb IS NOT NULL
  )
  SELECT v.run_id, 'FORGED_APPROVAL', true, 'hold ' || v.hold, v.resolution || ' by ' || v.voices || ' of ' || v.needed
  FROM voiced v WHERE v.voices < v.needed
  UNION ALL
  -- What was asked of whom, the decision says that opened the hold; an actor's pause and an unknown result were asked for by none.
  SELECT h.run_id, 'FORGED_APPROVAL', true, 'hold ' || h.hold, 'its terms are not those of its decision'
  FROM held h
  LEFT JOIN decide.v_rulings d ON (d.run_id, d.step, d.attempt, d.effect) = (h.run_id, h.step, h.attempt, 'pause')
  WHERE h.reason NOT IN ('MANUAL', 'UNKNOWN_RESULT')
    AND (h.action_digest, h.reason, h.authority, h.quorum::text)
      IS DISTINCT FROM (d.action_digest::text, d.body #>> '{hold,reason}', d.body #>> '{hold,authority}', d.body #>> '{hold,quorum}')
$$;
COMMENT ON FUNCTION audit.approval_findings(uuid[]) IS 'Answers to holds against acts and checks; for audit.judge only.';

-- Who started the run, and who raised its cap.
CREATE OR REPLACE FUNCTION audit.requester_findings(p_runs uuid[])
RETURNS TABLE (run_id uuid, code text, blocking boolean, subject text, detail text) LANGUAGE sql STABLE PARALLEL SAFE AS $$
  SELECT s.run_id, 'FORGED_APPROVAL', true, 'start', s.detail
  FROM (
    SELECT d.run_id, CASE
      WHEN a.run_id IS NULL THEN 'nobody asked for it'
      WHEN c.profile = 'STRICT' AND a.assertion IS NULL THEN 'no assertion of who asked for it'
      WHEN (a.actor, a.person) IS DISTINCT FROM (r.actor ->> 'name', r.requester) THEN 'the run names another who asked for it'
    END AS detail
    FROM unnest(p_runs) AS p (run_id)
    JOIN decide.v_decisions d ON d.run_id = p.run_id AND d.step = 0 AND d.kind = 'run.start' AND d.effect = 'allow'
    JOIN decide.v_runs r ON r.run_id = d.run_id
    JOIN audit.contracts c ON c.run_id = d.run_id
    LEFT JOIN decide.v_acts a ON (a.run_id, a.update_id, a.verb, a.allowed) = (d.run_id, 'start', 'start', true)) s
  WHERE s.detail IS NOT NULL
  UNION ALL
  -- A cap that was raised, whether or not a hold waited for it: by whom it was for, and not by who asked for the run.
  SELECT x.run_id, 'FORGED_APPROVAL', true, x.update_id, 'a cap was raised by who may not raise it'
  FROM unnest(p_runs) AS p (run_id)
  JOIN decide.v_raises x ON x.run_id = p.run_id
  JOIN decide.v_runs r ON r.run_id = x.run_id
  JOIN audit.contracts c ON c.run_id = x.run_id
  LEFT JOIN decide.v_acts a ON (a.run_id, a.update_id, a.verb, a.allowed, a.action_digest)
    = (x.run_id, x.update_id, 'raise_budget', true, x.action_digest)
  LEFT JOIN audit.approval_checks k ON (k.run_id, k.update_id) = (x.run_id, x.update_id)
  LEFT JOIN audit.approval_checks q ON (q.run_id, q.update_id) = (x.run_id, 'start')
  WHERE a.run_id IS NULL OR a.person IS NOT DISTINCT FROM r.requester OR k.person = q.person
    OR NOT audit.may_answer('raise_budget', a.roles, 'finance') OR (c.profile = 'STRICT' AND a.assertion IS NULL)
  UNION ALL
  SELECT k.run_id, 'FORGED_APPROVAL', true, k.update_id, k.detail
  FROM unnest(p_runs) AS p (run_id) JOIN audit.approval_checks k ON k.run_id = p.run_id AND NOT k.ok
$$;
COMMENT ON FUNCTION audit.requester_findings(uuid[]) IS 'Starts and raises against acts and checks; for audit.judge only.';

-- An approval serves the attempts of its own action, and of those one that succeeds.
CREATE OR REPLACE FUNCTION audit.approval_use_findings(p_runs uuid[])
RETURNS TABLE (run_id uuid, code text, blocking boolean, subject text, detail text) LANGUAGE sql STABLE PARALLEL SAFE AS $$
  SELECT t.run_id, 'UNWARRANTED', true, 'step ' || t.step || ' attempt ' || t.attempt,
         'it did not use the approval of hold ' || h.hold
  FROM unnest(p_runs) AS p (run_id)
  JOIN decide.v_holds h ON h.run_id = p.run_id
  JOIN execute.v_attempts t ON (t.run_id, t.step) = (h.run_id, h.step)
  WHERE h.resolution = 'approved' AND t.attempt > h.attempt AND t.action_digest = h.action_digest
    AND NOT EXISTS (SELECT FROM decide.v_approval_uses u WHERE (u.run_id, u.hold, u.step, u.attempt) = (t.run_id, h.hold, t.step, t.attempt))
  UNION ALL
  SELECT u.run_id, 'UNWARRANTED', true, 'step ' || u.step || ' attempt ' || u.attempt,
         'the approval of hold ' || u.hold || ' was not given for it'
  FROM unnest(p_runs) AS p (run_id)
  JOIN decide.v_approval_uses u ON u.run_id = p.run_id
  LEFT JOIN decide.v_holds h ON (h.run_id, h.hold) = (u.run_id, u.hold)
  LEFT JOIN execute.v_attempts t ON (t.run_id, t.step, t.attempt) = (u.run_id, u.step, u.attempt)
  WHERE (h.step, h.action_digest, h.resolution) IS DISTINCT FROM (u.step, t.action_digest, 'approved')
  UNION ALL
  SELECT u.run_id, 'UNWARRANTED', true, 'hold ' || u.hold, 'its approval let ' || count(*) || ' attempts succeed'
  FROM unnest(p_runs) AS p (run_id)
  JOIN decide.v_approval_uses u ON u.run_id = p.run_id
  JOIN execute.v_results s ON (s.run_id, s.step, s.attempt) = (u.run_id, u.step, u.attempt)
  WHERE s.status = 'succeeded' GROUP BY u.run_id, u.hold HAVING count(*) > 1
$$;
COMMENT ON FUNCTION audit.approval_use_findings(uuid[]) IS 'Approvals against the attempts that used them; for audit.judge only.';

RESET ROLE;
