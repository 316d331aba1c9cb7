-- Functions, triggers, views and rights that belong to `migrations/observe/0301_heads.sql`.
SET ROLE rok_observe_owner;

-- A head goes forward one event at a time and is closed once.
CREATE OR REPLACE FUNCTION observe.guard_head() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF NEW.run_id <> OLD.run_id OR NEW.length < OLD.length OR OLD.closed_at IS NOT NULL THEN
    RAISE EXCEPTION 'append-only: a head only goes forward, and not after it was closed' USING ERRCODE = '55000';
  END IF;
  RETURN NEW;
END $$;
COMMENT ON FUNCTION observe.guard_head() IS 'Trigger of observe.heads; called by nobody.';
-- Asked only where it would refuse.
CREATE OR REPLACE TRIGGER guard_head BEFORE UPDATE ON observe.heads FOR EACH ROW
  WHEN (NEW.run_id <> OLD.run_id OR NEW.length < OLD.length OR OLD.closed_at IS NOT NULL) EXECUTE FUNCTION observe.guard_head();
CREATE OR REPLACE TRIGGER no_delete BEFORE DELETE ON observe.heads FOR EACH ROW EXECUTE FUNCTION rok.refuse_change();
CREATE OR REPLACE TRIGGER no_truncate BEFORE TRUNCATE ON observe.heads FOR EACH STATEMENT EXECUTE FUNCTION rok.refuse_change();

-- Locks the heads of these runs and returns them; makes those that are missing, from the runs' contracts. In order of their ids,
-- so that two appends never wait for each other's heads.
CREATE OR REPLACE FUNCTION observe.lock_heads(p_runs uuid[]) RETURNS SETOF observe.heads LANGUAGE plpgsql AS $$
DECLARE
  v_heads observe.heads[];
  v_missing uuid[];
BEGIN
  FOR v_round IN 1..2 LOOP
    v_heads := ARRAY(SELECT h FROM observe.heads h WHERE h.run_id = ANY (p_runs) ORDER BY h.run_id FOR NO KEY UPDATE);
    v_missing := ARRAY(SELECT DISTINCT r.run FROM unnest(p_runs) AS r (run)
      WHERE NOT EXISTS (SELECT FROM unnest(v_heads) AS h WHERE h.run_id = r.run) ORDER BY r.run);
    EXIT WHEN cardinality(v_missing) = 0;
    IF v_round = 2 THEN
      RAISE EXCEPTION 'no contract of run %', v_missing[1] USING ERRCODE = 'P0002';
    END IF;
    INSERT INTO observe.heads (run_id, hash)
      SELECT c.run_id, c.digest FROM audit.v_contracts c WHERE c.run_id = ANY (v_missing) ORDER BY c.run_id
      ON CONFLICT DO NOTHING;
  END LOOP;
  RETURN QUERY SELECT h.* FROM unnest(v_heads) AS h;
END $$;
COMMENT ON FUNCTION observe.lock_heads(uuid[]) IS 'For observe.append_together only.';

CREATE OR REPLACE VIEW observe.v_heads AS SELECT * FROM observe.heads;
-- The deciders show how far the trace is; the judge holds it against the events.
GRANT SELECT ON observe.v_heads TO rok_decide, rok_audit, rok_audit_owner, rok_read;

RESET ROLE;
