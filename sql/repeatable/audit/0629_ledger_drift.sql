-- The ledger against what the other powers wrote down: attempts and results of the executors, receipts of the audit. Here,
-- because audit's owner alone reads all of them already. The verdict asks the same of each run as it is
-- judged (`audit.settlement_fault`); these ask of all of them at once.
SET ROLE rok_audit_owner;

-- A row here is a bug: how a reservation was closed is not how its attempt went. Each view is one statement, and redeem,
-- settle and finalize are one transaction each, so that a run under way shows nothing.
CREATE OR REPLACE VIEW audit.v_attempt_drift AS
  SELECT x.run_id, x.step, x.attempt, x.what, x.state, x.status FROM (
    SELECT run_id, step, attempt, w.state, s.status, CASE
      WHEN w.state IS NULL THEN 'attempted without a reservation'
      WHEN t.nonce IS NULL AND w.state NOT IN ('issued', 'released') THEN w.state || ' without an attempt'
      WHEN t.nonce IS NOT NULL AND w.state IN ('issued', 'released') THEN 'attempted, and only ' || w.state
      WHEN (t.nonce, t.action_digest) <> (w.nonce, w.action_digest) THEN 'attempted under another warrant'
      WHEN w.closed_at IS NULL THEN
        CASE WHEN r.phase IN ('COMPLETED', 'FAILED') THEN w.state || ' when the run had ended' END
      ELSE audit.settlement_fault(w.state, s.status, d.kind, w.spent_micros, w.over_micros, w.tokens, w.bound_micros,
        w.bound_tokens, w.cost_usd, CASE WHEN s.usage_reported THEN s.input_tokens + s.output_tokens END)
    END AS what
    FROM decide.v_reservations w
    FULL JOIN execute.v_attempts t USING (run_id, step, attempt)
    LEFT JOIN execute.v_results s USING (run_id, step, attempt)
    LEFT JOIN decide.v_runs r USING (run_id)
    LEFT JOIN decide.v_decisions d USING (run_id, step, attempt)
  ) x WHERE x.what IS NOT NULL;

-- A row here is a bug: what the latest receipt of a run states as spent is not what its reservations sum to. One that was
-- signed before the run ended (STALE) states what was spent by then; a stray's states nothing. Read as text and not as JSON,
-- with every byte that is not ASCII escaped: whatever a receipt was changed to, asking is no error. Inside a JSON text each
-- quotation mark has a backslash before it, so nothing but the member itself begins with `"facts":`.
CREATE OR REPLACE VIEW audit.v_receipt_drift AS
  WITH latest AS MATERIALIZED (
    SELECT DISTINCT ON (v.run_id) v.run_id, v.tenant, v.n, split_part(v.jws, '.', 2) AS payload
    FROM audit.v_receipts v ORDER BY v.run_id, v.revision DESC
  ), decoded AS MATERIALIZED (
    -- Once for each: inlined it would be once for each use.
    SELECT l.run_id, l.tenant, l.n, CASE WHEN l.payload ~ '^[A-Za-z0-9_-]+$' AND length(l.payload) % 4 <> 1 THEN
      encode(decode(replace(replace(l.payload, '-', '+'), '_', '/') || repeat('=', (4 - length(l.payload) % 4) % 4), 'base64'),
        'escape') END AS text
    FROM latest l
  ), stated AS MATERIALIZED (
    SELECT d.run_id, d.tenant, d.n, split_part(d.text, '"facts":null', 2) <> '' AS states_none,
           split_part(split_part(d.text, '"facts":{', 2), '}', 1) AS facts
    FROM decoded d
  ), summed AS (
    SELECT w.run_id, sum(w.spent_micros) AS micros, sum(w.tokens) AS tokens FROM decide.v_reservations w GROUP BY w.run_id
  )
  SELECT s.run_id, s.tenant, s.n, d.what, d.stated, d.ledger
  FROM stated s LEFT JOIN summed w USING (run_id)
  CROSS JOIN LATERAL (VALUES
    ('spent', substring(s.facts FROM '"spentMicros":"([0-9]+)"')::numeric, coalesce(w.micros, 0)),
    ('tokens', substring(s.facts FROM '"spentTokens":"([0-9]+)"')::numeric, coalesce(w.tokens, 0))) AS d (what, stated, ledger)
  WHERE s.states_none IS NOT TRUE
    AND (d.stated IS NULL OR d.stated > d.ledger
      OR (d.stated <> d.ledger AND s.facts ~ '"phase":"(COMPLETED|FAILED)"'));
GRANT SELECT ON audit.v_attempt_drift, audit.v_receipt_drift TO rok_read;

RESET ROLE;
