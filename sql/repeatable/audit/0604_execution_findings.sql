-- Each attempt against its decision, its warrant and its result: UNWARRANTED, UNKNOWN_RESULT, MISMATCH.
SET ROLE rok_audit_owner;

-- How a reservation was closed against how its attempt went; NULL where both agree. `p_reported` is the tokens that the
-- provider reported, NULL where it reported none. The verdict and the ledger's own check ask the same.
CREATE OR REPLACE FUNCTION audit.settlement_fault(p_state text, p_status text, p_kind text, p_micros bigint, p_over bigint, p_tokens bigint,
  p_bound_micros bigint, p_bound_tokens bigint, p_cost_usd numeric, p_reported bigint)
RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT CASE
    WHEN p_state IN ('issued', 'redeemed') THEN NULL
    WHEN p_state = 'released' THEN CASE WHEN (p_micros, p_over, p_tokens) IS DISTINCT FROM (0, 0, 0) THEN 'released, and charged' END
    WHEN p_status IS NULL THEN p_state || ' without a result'
    WHEN p_state = 'forfeited' THEN CASE
      -- What was reported beyond all sense is forfeited too, and marked as above the bound.
      WHEN p_status <> 'unknown' AND p_over = 0 THEN 'forfeited, and ' || p_status
      WHEN p_status = 'failed' THEN 'forfeited, and failed'
      WHEN p_micros <> p_bound_micros OR p_tokens <> p_bound_tokens THEN 'forfeited, and not in full' END
    WHEN p_status = 'unknown' THEN 'settled, and unknown'
    WHEN p_status = 'failed' THEN CASE WHEN (p_micros, p_over, p_tokens) IS DISTINCT FROM (0, 0, 0) THEN 'failed, and charged' END
    WHEN p_kind <> 'model.call' THEN
      CASE WHEN (p_micros, p_over, p_tokens) IS DISTINCT FROM (0, 0, 0) THEN p_kind || ', and charged' END
    -- Who reported no usage, or had a price that is gone, is charged the bound.
    WHEN p_tokens <> p_bound_tokens AND p_tokens IS DISTINCT FROM p_reported THEN 'settled at other tokens than reported'
    WHEN p_micros > p_bound_micros OR (p_over > 0 AND p_micros < p_bound_micros) THEN 'settled on the wrong side of its bound'
    -- Rounded up once, from a cost that is kept with 18 decimals.
    WHEN p_cost_usd IS NULL OR p_micros + p_over NOT BETWEEN ceil(p_cost_usd * 1000000) AND floor(p_cost_usd * 1000000) + 1
      THEN 'settled at another cost'
  END
$$;
COMMENT ON FUNCTION audit.settlement_fault(text, text, text, bigint, bigint, bigint, bigint, bigint, numeric, bigint) IS
  'Why a closed reservation is not how its attempt went; for audit''s own functions and views.';
GRANT EXECUTE ON FUNCTION audit.settlement_fault(text, text, text, bigint, bigint, bigint, bigint, bigint, numeric, bigint)
  TO rok_read;

CREATE OR REPLACE FUNCTION audit.execution_findings(p_runs uuid[])
RETURNS TABLE (run_id uuid, code text, blocking boolean, subject text, detail text) LANGUAGE sql STABLE PARALLEL SAFE AS $$
  -- Attempts with which something is not as it should be: few, so what follows looks at few.
  WITH odd AS MATERIALIZED (
    SELECT t.run_id, t.step, t.attempt, 'step ' || t.step || ' attempt ' || t.attempt AS subject,
           d.run_id IS NOT NULL AS allowed, w.run_id IS NOT NULL AS warranted, s.status, s.cause, w.state, f.fault
    FROM unnest(p_runs) AS p (run_id)
    JOIN execute.v_attempts t ON t.run_id = p.run_id
    LEFT JOIN decide.v_decisions d ON (d.run_id, d.step, d.attempt, d.action_digest, d.effect)
      = (t.run_id, t.step, t.attempt, t.action_digest, 'allow')
    LEFT JOIN decide.v_reservations w ON (w.run_id, w.step, w.attempt, w.nonce) = (t.run_id, t.step, t.attempt, t.nonce)
      AND w.state IN ('redeemed', 'settled', 'forfeited')
    LEFT JOIN execute.v_results s ON (s.run_id, s.step, s.attempt) = (t.run_id, t.step, t.attempt)
    CROSS JOIN LATERAL (SELECT audit.settlement_fault(w.state, s.status, d.kind, w.spent_micros, w.over_micros, w.tokens,
      w.bound_micros, w.bound_tokens, w.cost_usd, CASE WHEN s.usage_reported THEN s.input_tokens + s.output_tokens END) AS fault) f
    WHERE d.run_id IS NULL OR w.run_id IS NULL OR s.status IS NULL OR s.status = 'unknown' OR f.fault IS NOT NULL
      OR w.state = 'redeemed'
  )
  SELECT t.run_id, 'UNWARRANTED', true, t.subject,
         CASE WHEN NOT t.allowed THEN 'no decision allowed it' ELSE 'no warrant was redeemed for it' END
  FROM odd t WHERE NOT (t.allowed AND t.warranted)
  UNION ALL
  -- How it was settled; of what nobody allowed nothing more need be said.
  SELECT t.run_id, 'MISMATCH', true, t.subject, coalesce(t.fault, 'redeemed when the run had ended')
  FROM odd t JOIN decide.v_runs r ON r.run_id = t.run_id
  WHERE t.allowed AND t.warranted
    AND (t.fault IS NOT NULL OR (t.state = 'redeemed' AND r.phase IN ('COMPLETED', 'FAILED')))
  UNION ALL
  -- Of a read, of a model call, and of what a later attempt made good, the uncertainty cost money and no more; and of what
  -- somebody looked at, who may, it is over.
  SELECT u.run_id, 'UNKNOWN_RESULT', NOT (u.mild OR u.made_good OR u.answer IS NOT NULL), u.subject,
         CASE WHEN u.made_good THEN u.cause || ', made good by a later attempt'
           WHEN u.answer IS NOT NULL THEN u.cause || ', answered ' || u.answer ELSE u.cause END
  FROM (
    SELECT t.run_id, t.subject, coalesce(t.cause, 'no result') AS cause,
           coalesce(t.allowed AND (SELECT d.kind = 'model.call' OR d.access = 'read' FROM decide.v_decisions d
             WHERE (d.run_id, d.step, d.attempt) = (t.run_id, t.step, t.attempt)), false) AS mild,
           EXISTS (SELECT FROM execute.v_results later WHERE (later.run_id, later.step) = (t.run_id, t.step)
             AND later.attempt > t.attempt AND later.status = 'succeeded') AS made_good,
           (SELECT a.was FROM decide.v_holds h JOIN decide.v_acts a ON (a.run_id, a.hold) = (h.run_id, h.hold)
            LEFT JOIN audit.approval_checks k ON (k.run_id, k.update_id) = (a.run_id, a.update_id)
            WHERE (h.run_id, h.step, h.attempt, h.reason, h.resolution) = (t.run_id, t.step, t.attempt, 'UNKNOWN_RESULT', 'resumed')
              AND a.verb = 'resume' AND a.allowed AND a.was IS NOT NULL AND k.ok IS NOT FALSE
              AND a.at >= h.opened_at AND a.at <= h.resolved_at
            ORDER BY a.at, a.update_id COLLATE "C" LIMIT 1) AS answer
    FROM odd t JOIN decide.v_runs r ON r.run_id = t.run_id
    WHERE t.status = 'unknown' OR (t.status IS NULL AND r.phase IN ('COMPLETED', 'FAILED'))) u
$$;
COMMENT ON FUNCTION audit.execution_findings(uuid[]) IS 'Attempts against decisions, warrants and results; for audit.judge only.';

RESET ROLE;
