-- Functions, triggers, views and rights that belong to `migrations/decide/0122_rates.sql`.
SET ROLE rok_decide_owner;

-- The deciders read it; an administrator writes it as owner.
GRANT SELECT ON decide.rate_limits TO rok_decide;
GRANT SELECT ON decide.rate_states TO rok_decide;
-- Rows are made and move by decide.rate_and_reserve: the login cannot.

CREATE OR REPLACE FUNCTION decide.keep_rate() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF NEW.tat_us < OLD.tat_us THEN
    RAISE EXCEPTION 'what a rate limit admitted is not taken back' USING ERRCODE = '55000';
  END IF;
  RETURN NEW;
END $$;
COMMENT ON FUNCTION decide.keep_rate() IS 'Trigger of decide.rate_states; called by nobody.';
CREATE OR REPLACE TRIGGER keep_rate BEFORE UPDATE ON decide.rate_states FOR EACH ROW EXECUTE FUNCTION decide.keep_rate();
CREATE OR REPLACE TRIGGER no_delete BEFORE DELETE ON decide.rate_states FOR EACH ROW EXECUTE FUNCTION rok.refuse_change();
CREATE OR REPLACE TRIGGER no_truncate BEFORE TRUNCATE ON decide.rate_states FOR EACH STATEMENT EXECUTE FUNCTION rok.refuse_change();

-- {nowUs, limits: [{scope, subject, enforcement, calls, periodS, burst, everyUs, tatUs}]}, or NULL where none applies.
CREATE OR REPLACE FUNCTION decide.rates_of(p_tenant text, p_agent text, p_kind text, p_target text) RETURNS jsonb
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = decide, pg_temp SET enable_seqscan = off AS $$
DECLARE
  found jsonb;
BEGIN
  IF p_kind NOT IN ('model.call', 'skill.call') OR NOT EXISTS (SELECT FROM decide.rate_limits) THEN RETURN NULL; END IF;
  SELECT jsonb_agg(jsonb_build_object('scope', l.scope, 'subject', k.subject, 'enforcement', l.enforcement, 'calls', l.calls,
      'periodS', l.period_s, 'burst', l.burst, 'everyUs', l.every_us, 'tatUs', coalesce(s.tat_us, 0))
    ORDER BY l.scope, k.subject, l.enforcement) INTO found
  FROM (VALUES
    ('tenant', p_tenant),
    ('agent', p_tenant || '/' || p_agent),
    (split_part(p_kind, '.', 1), CASE p_kind WHEN 'skill.call' THEN split_part(p_target, '@', 1) ELSE p_target END)) k (scope, subject)
  CROSS JOIN (VALUES ('soft'), ('hard')) e (enforcement)
  CROSS JOIN LATERAL (SELECT * FROM decide.rate_limits l
    WHERE l.scope = k.scope AND l.subject IN (k.subject, '*') AND l.enforcement = e.enforcement
    ORDER BY l.subject = '*' LIMIT 1) l
  LEFT JOIN decide.rate_states s ON s.scope = l.scope AND s.subject = k.subject AND s.enforcement = l.enforcement;
  RETURN CASE WHEN found IS NULL THEN NULL ELSE jsonb_build_object('nowUs', decide.now_us(), 'limits', found) END;
END $$;
COMMENT ON FUNCTION decide.rates_of(text, text, text, text) IS
  'The rate limits that a call falls under, with their states; called by the deciders for a snapshot, and by rate_and_reserve.';
GRANT EXECUTE ON FUNCTION decide.rates_of(text, text, text, text) TO rok_decide;

CREATE OR REPLACE FUNCTION decide.now_us() RETURNS bigint LANGUAGE plpgsql VOLATILE AS $$
BEGIN
  RETURN floor(extract(epoch FROM decide.clock()) * 1000000);
END $$;
COMMENT ON FUNCTION decide.now_us() IS 'Microseconds since the Unix epoch, by the clock that rates go by; for functions of this schema.';

-- Of those limits, locked in one order until the transaction ends, the states as they are now. Every limit whose wait is
-- enforced (`p_blocking`) must conform, or nothing is reserved; the ledger's accounts are locked after these rows, always.
-- What both admit moves the states of all limits that conform. So a denied call uses nothing, and a decision that is asked
-- for again, which never gets here, uses nothing twice.
-- p_rate: {kind, target, blocking: ["soft", "hard"]}; else as decide.settle_and_reserve.
-- Answer: that of decide.settle_and_reserve, with `rates` as of decide.rates_of, before they moved.
CREATE OR REPLACE FUNCTION decide.rate_and_reserve(p_run uuid, p_settlements jsonb, p_reserve jsonb, p_rate jsonb) RETURNS jsonb
LANGUAGE plpgsql SECURITY DEFINER SET search_path = decide, pg_temp SET enable_seqscan = off AS $$
DECLARE
  ours jsonb;
  at_us bigint;
  waiting boolean;
  answer jsonb;
BEGIN
  SELECT decide.rates_of(r.tenant, r.agent, p_rate ->> 'kind', p_rate ->> 'target') -> 'limits' INTO STRICT ours
  FROM decide.runs r WHERE r.run_id = p_run;
  INSERT INTO decide.rate_states (scope, subject, enforcement)
    SELECT l.scope, l.subject, l.enforcement FROM jsonb_to_recordset(ours) AS l(scope text, subject text, enforcement text)
    ORDER BY l.scope, l.subject, l.enforcement ON CONFLICT DO NOTHING;
  SELECT jsonb_agg(l.one || jsonb_build_object('tatUs', l.tat_us)) INTO ours FROM (
    SELECT l.one, s.tat_us FROM jsonb_array_elements(ours) AS l(one)
    JOIN decide.rate_states s ON s.scope = l.one ->> 'scope' AND s.subject = l.one ->> 'subject'
      AND s.enforcement = l.one ->> 'enforcement'
    ORDER BY s.scope, s.subject, s.enforcement FOR NO KEY UPDATE OF s) l;
  at_us := decide.now_us();
  SELECT bool_or(p_rate -> 'blocking' ? l.enforcement AND l."tatUs" - at_us > (l.burst - 1) * l."everyUs") INTO waiting
  FROM jsonb_to_recordset(ours) AS l(enforcement text, burst bigint, "everyUs" bigint, "tatUs" bigint);
  answer := decide.settle_and_reserve(p_run, p_settlements, CASE WHEN waiting THEN NULL ELSE p_reserve END);
  IF (answer #>> '{reserved,ok}')::boolean THEN
    UPDATE decide.rate_states s SET tat_us = greatest(s.tat_us, at_us) + l."everyUs"
    FROM jsonb_to_recordset(ours) AS l(scope text, subject text, enforcement text, burst bigint, "everyUs" bigint)
    WHERE s.scope = l.scope AND s.subject = l.subject AND s.enforcement = l.enforcement
      AND s.tat_us - at_us <= (l.burst - 1) * l."everyUs";
  END IF;
  RETURN answer || jsonb_build_object('rates',
    CASE WHEN ours IS NULL THEN NULL ELSE jsonb_build_object('nowUs', at_us, 'limits', ours) END);
END $$;
COMMENT ON FUNCTION decide.rate_and_reserve(uuid, jsonb, jsonb, jsonb) IS
  'Called by rok_decide instead of settle_and_reserve where a call falls under rate limits: the only writer of their states.';
GRANT EXECUTE ON FUNCTION decide.rate_and_reserve(uuid, jsonb, jsonb, jsonb) TO rok_decide;

CREATE OR REPLACE VIEW decide.v_rate_limits AS
  SELECT l.scope, l.subject, l.enforcement, l.calls, l.period_s, l.burst, l.every_us FROM decide.rate_limits l;
-- How many calls could come at once now, of each subject that was ever asked for.
CREATE OR REPLACE VIEW decide.v_rate_states AS
  SELECT s.scope, s.subject, s.enforcement, to_timestamp(s.tat_us / 1e6) AS tat, l.burst,
    greatest(0, l.burst - ceil(greatest(0, s.tat_us - extract(epoch FROM clock_timestamp()) * 1e6) / l.every_us))::int AS left_now
  FROM decide.rate_states s
  CROSS JOIN LATERAL (SELECT * FROM decide.rate_limits l WHERE l.scope = s.scope AND l.subject IN (s.subject, '*')
    AND l.enforcement = s.enforcement ORDER BY l.subject = '*' LIMIT 1) l;
GRANT SELECT ON decide.v_rate_limits, decide.v_rate_states TO rok_read;

RESET ROLE;
