-- What may be signed: the signer takes nobody's word for a verdict, the table's own least of all. Each is ruled on again in the
-- transaction that signs it, and the receipt states what is counted then.
SET ROLE rok_audit_owner;

-- `why` is NULL where the rows come to just this verdict; `due`: there is news that the judge rules on next, and no offence.
CREATE OR REPLACE FUNCTION audit.rule_again(p_runs uuid[], p_revisions integer[])
RETURNS TABLE (run_id uuid, revision integer, why text, due boolean, facts jsonb)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = audit, pg_temp
-- As audit.judge, and for its reasons.
SET plan_cache_mode = force_generic_plan SET enable_seqscan = off SET enable_memoize = off SET jit = off AS $$
#variable_conflict use_column
DECLARE
  v_now timestamptz := clock_timestamp();
  v_readable uuid[];
BEGIN
  PERFORM audit.seal_contents(p_runs);
  -- What the judge could not read it cannot read now either: such a verdict states no facts, and is never COMPLETE. Nor is
  -- a run ruled on here that is set aside: it would hold up the others' receipts as it held up their verdicts.
  SELECT array_agg(DISTINCT v.run_id) INTO v_readable
  FROM unnest(p_runs, p_revisions) AS p (run_id, revision) JOIN audit.verdicts v USING (run_id, revision)
  WHERE NOT (v.facts = '{}' AND (v.findings @> '[{"code":"JUDGE_ERROR"}]'
    OR EXISTS (SELECT FROM audit.set_aside a WHERE a.run_id = v.run_id)));

  RETURN QUERY
  WITH asked AS (
    SELECT v.run_id, v.revision, v.status, v.findings, v.judged_at, c.run_id IS NOT NULL AS promised, c.judge_after, c.finalize_due,
           v.run_id = ANY (coalesce(v_readable, '{}')) AS readable,
           (SELECT min(a.at) FROM audit.acks a WHERE a.run_id = v.run_id
              AND (a.domain, a.action, a.status) = ('orchestrator', 'finalize_run', 'done')) AS done_at,
           EXISTS (SELECT FROM audit.verdicts l WHERE l.run_id = v.run_id AND l.revision > v.revision) AS superseded
    FROM unnest(p_runs, p_revisions) AS p (run_id, revision)
    JOIN audit.verdicts v USING (run_id, revision)
    LEFT JOIN audit.contracts c ON c.run_id = v.run_id
  ), ruled AS MATERIALIZED (
    SELECT * FROM audit.ruling(v_readable, v_now)
  ), held AS (
    SELECT a.*, f.facts, CASE
      WHEN a.superseded THEN 'a later revision stands'
      WHEN NOT a.promised THEN (
        SELECT CASE WHEN count(*) = 1 THEN NULL ELSE 'it has no contract, and is no stray that was judged so' END
        FROM audit.strays s WHERE s.run_id = a.run_id AND s.settled_as = 'judged' AND (a.revision, a.status) = (1, 'INCOMPLETE')
          AND (a.findings = jsonb_build_array(audit.stray_finding(s))
            OR (a.findings @> '[{"code":"JUDGE_ERROR"}]' AND EXISTS (SELECT FROM audit.set_aside x WHERE x.run_id = s.run_id))))
      WHEN a.status <> 'STALE' AND (a.done_at IS NULL OR a.done_at > a.judged_at) THEN 'nobody had finalized the run'
      WHEN NOT a.readable THEN CASE WHEN a.status = 'COMPLETE' THEN 'the rows cannot be read'
        WHEN a.status = 'STALE' AND a.done_at <= a.finalize_due AND a.revision = 1 THEN 'it was finalized in time' END
      WHEN u.pending THEN 'the run is open, and not late'
      WHEN u.status <> a.status THEN 'the rows come to ' || u.status || ' now, not to ' || a.status
      WHEN u.findings <> a.findings THEN 'the rows come to other findings now'
    END AS why
    FROM asked a
    LEFT JOIN ruled u ON u.run_id = a.run_id
    LEFT JOIN audit.facts(v_readable) f ON f.run_id = a.run_id
  ), recalled AS (
    -- What stands for no reason is ruled on anew: a later revision says what is so.
    UPDATE audit.contracts c SET judge_after = v_now
    FROM held h WHERE h.run_id = c.run_id AND h.why IS NOT NULL AND NOT h.superseded AND c.judge_after IS NULL
  )
  SELECT h.run_id, h.revision, h.why, h.superseded OR coalesce(h.judge_after <= v_now, false), h.facts FROM held h;
END $$;
COMMENT ON FUNCTION audit.rule_again(uuid[], integer[]) IS
  'Whether the rows come to just these verdicts, and what is counted for their receipts; rok_audit only, in the transaction that signs. Definer, because it makes due again what does not agree, and seals contents.';
GRANT EXECUTE ON FUNCTION audit.rule_again(uuid[], integer[]) TO rok_audit;

RESET ROLE;
