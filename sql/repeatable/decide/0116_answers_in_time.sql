-- Whether an answer came in time is judged where it is written, by the clock that stamps it: what was in time when it was
-- verified may be late by now. In a trigger, so that no program goes round it.
SET ROLE rok_decide_owner;

CREATE OR REPLACE FUNCTION decide.judge_in_time() RETURNS trigger LANGUAGE plpgsql SET search_path = decide, pg_temp AS $$
BEGIN
  -- The owner's hand may write history; a login's acts are of now.
  IF NOT pg_has_role(session_user, 'rok_decide_owner', 'MEMBER') THEN
    NEW.at := clock_timestamp();
  END IF;
  IF NOT NEW.allowed OR NEW.hold IS NULL OR NEW.verb NOT IN ('approve', 'reject', 'resume', 'raise_budget')
     OR NOT EXISTS (SELECT FROM decide.holds h WHERE h.run_id = NEW.run_id AND h.hold = NEW.hold AND h.until <= NEW.at) THEN
    RETURN NEW;
  END IF;
  IF NEW.verb = 'raise_budget' THEN
    -- The cap is raised all the same; the hold that it came too late for is not resolved by it.
    NEW.hold := NULL;
  ELSE
    NEW.allowed := false;
    NEW.token_id := NULL;
    NEW.reason := format('`%s` may not %s: the time of hold %s is over (access.late)', left(NEW.actor, 300), NEW.verb, NEW.hold);
  END IF;
  RETURN NEW;
END $$;
COMMENT ON FUNCTION decide.judge_in_time() IS 'Trigger of decide.acts; called by nobody.';
CREATE OR REPLACE TRIGGER judge_in_time BEFORE INSERT ON decide.acts FOR EACH ROW EXECUTE FUNCTION decide.judge_in_time();

RESET ROLE;
