-- Declares the contract of a run, in the transaction that creates the run.
SET ROLE rok_audit_owner;

-- Times in evidence have one form: RFC 3339 in UTC with six decimals.
CREATE OR REPLACE FUNCTION audit.iso(p_at timestamptz) RETURNS text LANGUAGE sql STABLE PARALLEL SAFE AS $$
  SELECT to_char(p_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')
$$;
COMMENT ON FUNCTION audit.iso(timestamptz) IS 'A time as it stands in contracts and receipts; for audit''s own functions and its receipts.';
GRANT EXECUTE ON FUNCTION audit.iso(timestamptz) TO rok_audit;

-- The digest of domain/digest.ts: tag and text, each after its length in 8 bytes.
CREATE OR REPLACE FUNCTION audit.tagged_digest(p_tag text, p_bytes bytea) RETURNS bytea LANGUAGE sql IMMUTABLE AS $$
  SELECT sha256(int8send(octet_length(convert_to(p_tag, 'UTF8'))::bigint) || convert_to(p_tag, 'UTF8')
    || int8send(octet_length(p_bytes)::bigint) || p_bytes)
$$;
COMMENT ON FUNCTION audit.tagged_digest(text, bytea) IS 'SHA-256 with a domain tag; for audit''s own functions.';

CREATE OR REPLACE FUNCTION audit.declare(p_run uuid, p_tenant text, p_agent text, p_profile text, p_asked_deadline timestamptz)
RETURNS TABLE (digest bytea, run_deadline timestamptz, finalize_due timestamptz, expires_at timestamptz)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = audit, pg_temp AS $$
#variable_conflict use_column
DECLARE
  v_terms audit.terms;
  v_now timestamptz := clock_timestamp();
  v_deadline timestamptz;
  v_due timestamptz;
  v_expires timestamptz;
  v_promises jsonb;
  v_bytes bytea;
BEGIN
  IF NOT EXISTS (SELECT FROM audit.contracts c WHERE c.run_id = p_run) THEN
    SELECT t.* INTO STRICT v_terms FROM audit.terms t
      WHERE t.tenant IN (p_tenant, '*') AND t.agent IN (p_agent, '*')
      ORDER BY t.tenant = '*', t.agent = '*' LIMIT 1;
    v_expires := v_now + v_terms.max_life;
    -- What is asked may shorten; a deadline already past is now.
    v_deadline := greatest(v_now, least(v_now + v_terms.run_time, p_asked_deadline));
    v_due := least(v_deadline + v_terms.grace, v_expires);

    -- Of templates for the same (domain, action) the most specific; numbered by name, so that the bytes are one.
    SELECT jsonb_agg(to_jsonb(p) ORDER BY p.n) INTO STRICT v_promises FROM (
      SELECT row_number() OVER (ORDER BY t.name COLLATE "C") AS n, t.domain, t.action, t.condition, t.due,
             CASE t.due WHEN 'finalize' THEN v_due ELSE least(v_now + t.due_after, v_due) END AS due_at
      FROM (SELECT DISTINCT ON (x.domain, x.action) x.* FROM audit.templates x
            WHERE x.tenant IN (p_tenant, '*') AND x.agent IN (p_agent, '*')
            ORDER BY x.domain, x.action, x.tenant = '*', x.agent = '*', x.name COLLATE "C") t) p;

    -- Canonical JSON by hand: keys sorted, no white space, strings as to_json writes them.
    v_bytes := convert_to(format(
      '{"agent":%s,"declaredAt":%s,"expectations":[%s],"expiresAt":%s,"finalizeDue":%s,"profile":%s,"run":%s,"runDeadline":%s,"tenant":%s,"version":1}',
      to_json(p_agent), to_json(audit.iso(v_now)),
      (SELECT string_agg(format('{"action":%s,"condition":%s,"domain":%s,"due":%s,"dueAt":%s}', to_json(e.action),
          to_json(e.condition), to_json(e.domain), to_json(e.due), to_json(audit.iso(e.due_at))), ',' ORDER BY e.n)
       FROM jsonb_to_recordset(v_promises) AS e (n integer, domain text, action text, condition text, due text, due_at timestamptz)),
      to_json(audit.iso(v_expires)), to_json(audit.iso(v_due)), to_json(p_profile), to_json('run_' || p_run),
      to_json(audit.iso(v_deadline)), to_json(p_tenant)), 'UTF8');

    INSERT INTO audit.contracts (run_id, tenant, agent, profile, declared_at, declared_run_deadline, declared_finalize_due,
        expires_at, bytes, digest, run_deadline, finalize_due, judge_after)
      VALUES (p_run, p_tenant, p_agent, p_profile, v_now, v_deadline, v_due, v_expires, v_bytes,
        audit.tagged_digest('rok.contract.v1', v_bytes), v_deadline, v_due, v_due)
      ON CONFLICT DO NOTHING;
    IF FOUND THEN
      INSERT INTO audit.expectations (run_id, n, domain, action, condition, due, due_at)
        SELECT p_run, e.n, e.domain, e.action, e.condition, e.due, e.due_at
        FROM jsonb_to_recordset(v_promises)
          AS e (n integer, domain text, action text, condition text, due text, due_at timestamptz);
    END IF;
  END IF;
  RETURN QUERY SELECT c.digest, c.run_deadline, c.finalize_due, c.expires_at FROM audit.contracts c WHERE c.run_id = p_run;
END $$;
COMMENT ON FUNCTION audit.declare(uuid, text, text, text, timestamptz) IS
  'Declares the contract of a run; rok_decide only, when it opens one. It takes no expectations: terms and templates are audit''s own. The same run again answers what stands.';
GRANT EXECUTE ON FUNCTION audit.declare(uuid, text, text, text, timestamptz) TO rok_decide, rok_decide_owner;

RESET ROLE;
