-- Functions, triggers, views and rights that belong to `migrations/decide/0616_refused_bound.sql`.
SET ROLE rok_decide_owner;

CREATE OR REPLACE VIEW decide.v_refused_counts AS SELECT * FROM decide.refused_counts;
GRANT SELECT ON decide.v_refused_counts TO rok_read;

CREATE OR REPLACE FUNCTION decide.bound_refused() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = decide, pg_temp AS $$
DECLARE
  v_refused bigint;
BEGIN
  -- Refused before: nothing new is written.
  IF EXISTS (SELECT FROM decide.refused_histories h
      WHERE (h.workflow_id, h.temporal_run_id) = (NEW.workflow_id, NEW.temporal_run_id)) THEN
    RETURN NEW;
  END IF;
  INSERT INTO decide.refused_counts AS c (run_id, refused) VALUES (NEW.run_id, 1)
    ON CONFLICT (run_id) DO UPDATE SET refused = c.refused + 1 RETURNING c.refused INTO v_refused;
  IF v_refused > 64 THEN
    NEW.run_id := NULL;
  END IF;
  RETURN NEW;
END $$;
COMMENT ON FUNCTION decide.bound_refused() IS 'Trigger of decide.refused_histories; called by nobody.';
CREATE OR REPLACE TRIGGER bound_refused BEFORE INSERT ON decide.refused_histories FOR EACH ROW
  WHEN (NEW.run_id IS NOT NULL) EXECUTE FUNCTION decide.bound_refused();

RESET ROLE;
