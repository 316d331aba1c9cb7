-- Functions, triggers, views and rights that belong to `migrations/decide/0128_raises.sql`.
SET ROLE rok_decide_owner;

CREATE OR REPLACE TRIGGER append_only BEFORE UPDATE OR DELETE ON decide.raises FOR EACH ROW EXECUTE FUNCTION rok.refuse_change();
CREATE OR REPLACE TRIGGER no_truncate BEFORE TRUNCATE ON decide.raises FOR EACH STATEMENT EXECUTE FUNCTION rok.refuse_change();
-- Written by decide.raise_budget only; the deciders read which holds a raise ended.
GRANT SELECT ON decide.raises TO rok_decide;

-- The audit verifies the act's assertion again, with the act's digest: that it is this raise's makes it this raise's assertion.
CREATE OR REPLACE FUNCTION decide.raised_by_act() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = decide, pg_temp AS $$
BEGIN
  IF NOT EXISTS (SELECT FROM decide.acts a WHERE a.run_id = NEW.run_id AND a.update_id = NEW.update_id AND a.allowed
      AND a.verb = 'raise_budget' AND a.action_digest = NEW.action_digest) THEN
    RAISE EXCEPTION 'a raise needs an allowed act that asked for just this' USING ERRCODE = '23514';
  END IF;
  RETURN NULL;
END $$;
COMMENT ON FUNCTION decide.raised_by_act() IS 'Trigger of decide.raises; called by nobody.';
CREATE CONSTRAINT TRIGGER by_act AFTER INSERT ON decide.raises DEFERRABLE INITIALLY DEFERRED
  FOR EACH ROW EXECUTE FUNCTION decide.raised_by_act();

-- A hold for BUDGET waits for the accounts that refused its decision. As json and not jsonb up to there, because the rest of a
-- snapshot may hold what jsonb does not take.
CREATE OR REPLACE FUNCTION decide.held_for(p_run uuid, p_scope text, p_subject text, p_unit text, p_window text) RETURNS integer[]
LANGUAGE sql STABLE SET search_path = decide, pg_temp AS $$
  SELECT coalesce(array_agg(h.hold ORDER BY h.hold), '{}')
  FROM decide.holds h
  JOIN decide.decisions d USING (run_id, step, attempt)
  JOIN decide.snapshots s ON (s.run_id, s.digest) = (d.run_id, d.snapshot_digest)
  WHERE h.run_id = p_run AND h.reason = 'BUDGET' AND h.resolved_at IS NULL
    AND (s.body::json #> '{ledger,breaches}')::jsonb
      @> jsonb_build_array(jsonb_build_object('scope', p_scope, 'subject', p_subject, 'unit', p_unit, 'window', p_window))
$$;
COMMENT ON FUNCTION decide.held_for(uuid, text, text, text, text) IS
  'The open holds of a run that wait for one budget; asked by decide.raise_budget and, before it, by the deciders.';
GRANT EXECUTE ON FUNCTION decide.held_for(uuid, text, text, text, text) TO rok_decide;

-- What came too late for a hold does not resolve it: judged by the act's stamp, as every answer is (0116_answers_in_time.sql).
CREATE OR REPLACE FUNCTION decide.raised_holds(p_run uuid, p_update text) RETURNS integer[]
LANGUAGE sql STABLE SET search_path = decide, pg_temp AS $$
  SELECT coalesce(array_agg(h.hold ORDER BY h.hold), '{}')
  FROM decide.raises r
  JOIN decide.acts a USING (run_id, update_id)
  JOIN decide.holds h ON h.run_id = r.run_id AND h.hold = ANY (r.holds) AND a.at < h.until
  WHERE r.run_id = p_run AND r.update_id = p_update
$$;
COMMENT ON FUNCTION decide.raised_holds(uuid, text) IS 'The holds that an act raise_budget ends; asked by the deciders once the act is written.';
GRANT EXECUTE ON FUNCTION decide.raised_holds(uuid, text) TO rok_decide;

-- p_raise: the text that was signed for, {scope, subject, unit, window, from, to, reason} (src/domain/protocol/raise.ts).
-- Answer: {raised: true, holds: those that waited for it}, or {raised: false, why: closed | unknown | moved, cap}, and nothing has changed.
CREATE OR REPLACE FUNCTION decide.raise_budget(p_run uuid, p_update text, p_raise text) RETURNS jsonb
LANGUAGE plpgsql SECURITY DEFINER SET search_path = decide, pg_temp AS $$
DECLARE
  run decide.runs;
  ask record;
  tag bytea := 'rok.raise.v1';
  asked bytea := convert_to(p_raise, 'UTF8');
  had bigint;
  held integer[];
BEGIN
  SELECT * INTO STRICT run FROM decide.runs r WHERE r.run_id = p_run FOR NO KEY UPDATE;
  IF run.phase IN ('FINALIZING', 'COMPLETED', 'FAILED') THEN
    RETURN jsonb_build_object('raised', false, 'why', 'closed');
  END IF;
  SELECT * INTO ask FROM jsonb_to_record(p_raise::jsonb)
    AS r(scope text, subject text, unit text, "window" text, "from" bigint, "to" bigint);
  PERFORM FROM decide.budgets_of(run) m
    WHERE (m.scope, m.subject, m.unit, m.time_window) = (ask.scope, ask.subject, ask.unit, ask."window");
  IF NOT FOUND THEN RETURN jsonb_build_object('raised', false, 'why', 'unknown'); END IF;
  held := decide.held_for(p_run, ask.scope, ask.subject, ask.unit, ask."window");
  -- Of two raises at once from one cap the second finds another cap. Its account and the journal follow by trigger.
  UPDATE decide.budgets b SET cap = ask."to"
    WHERE (b.scope, b.subject, b.unit, b.time_window) = (ask.scope, ask.subject, ask.unit, ask."window") AND b.cap = ask."from";
  IF NOT FOUND THEN
    SELECT b.cap INTO had FROM decide.budgets b
      WHERE (b.scope, b.subject, b.unit, b.time_window) = (ask.scope, ask.subject, ask.unit, ask."window");
    RETURN jsonb_build_object('raised', false, 'why', 'moved', 'cap', had::text);
  END IF;
  INSERT INTO decide.raises (run_id, update_id, scope, subject, unit, time_window, from_cap, to_cap, action_digest, holds)
  VALUES (p_run, p_update, ask.scope, ask.subject, ask.unit, ask."window", ask."from", ask."to",
    encode(sha256(int8send(length(tag)) || tag || int8send(length(asked)) || asked), 'hex'), held);
  RETURN jsonb_build_object('raised', true, 'holds', held);
END $$;
COMMENT ON FUNCTION decide.raise_budget(uuid, text, text) IS
  'Called by the deciders for an act raise_budget that they verified and allowed: raises the cap of one budget of this run, if it is still what the raise was based on.';
GRANT EXECUTE ON FUNCTION decide.raise_budget(uuid, text, text) TO rok_decide;

CREATE OR REPLACE VIEW decide.v_raises AS SELECT * FROM decide.raises;
-- The deciders tell a run of a raise that came beside it.
GRANT SELECT ON decide.v_raises TO rok_decide, rok_audit, rok_audit_owner, rok_read;

RESET ROLE;
