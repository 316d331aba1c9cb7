-- Functions, triggers, views and rights that belong to `migrations/decide/0103_runs.sql`.
SET ROLE rok_decide_owner;

GRANT SELECT, INSERT ON decide.runs TO rok_decide;
-- What names a run is never changed; what happens to it is.
GRANT UPDATE (temporal_run_id, phase, outcome, counters, run_deadline, last_step, detail, answer)
  ON decide.runs TO rok_decide;

-- The lifecycle once more, where no program can go round it.
CREATE OR REPLACE FUNCTION decide.guard_phase() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF OLD.phase = NEW.phase THEN
    IF OLD.outcome IS DISTINCT FROM NEW.outcome
       AND NOT (OLD.phase = 'FINALIZING' AND OLD.outcome = 'succeeded' AND NEW.outcome = 'policy_stopped') THEN
      RAISE EXCEPTION 'the outcome is latched: % cannot become %', OLD.outcome, NEW.outcome USING ERRCODE = '55000';
    END IF;
    RETURN NEW;
  END IF;
  IF (OLD.phase, NEW.phase) NOT IN (
    ('CREATED', 'AUTHORIZED'), ('AUTHORIZED', 'EXECUTING'),
    ('CREATED', 'FINALIZING'), ('AUTHORIZED', 'FINALIZING'), ('EXECUTING', 'FINALIZING'),
    ('FINALIZING', 'COMPLETED'), ('FINALIZING', 'FAILED')) THEN
    RAISE EXCEPTION 'no way from phase % to %', OLD.phase, NEW.phase USING ERRCODE = '55000';
  END IF;
  IF OLD.phase = 'FINALIZING' AND OLD.outcome IS DISTINCT FROM NEW.outcome THEN
    RAISE EXCEPTION 'the outcome is latched' USING ERRCODE = '55000';
  END IF;
  -- When it was so the database says.
  IF NEW.phase = 'FINALIZING' THEN
    NEW.latched_at := clock_timestamp();
  ELSIF NEW.phase IN ('COMPLETED', 'FAILED') THEN
    NEW.ended_at := clock_timestamp();
  END IF;
  RETURN NEW;
END $$;
COMMENT ON FUNCTION decide.guard_phase() IS 'Trigger of decide.runs; called by nobody.';
CREATE OR REPLACE TRIGGER guard_phase BEFORE UPDATE ON decide.runs FOR EACH ROW
  WHEN (OLD.phase <> NEW.phase OR OLD.outcome IS DISTINCT FROM NEW.outcome) EXECUTE FUNCTION decide.guard_phase();
-- The answer comes with the outcome, in the same statement, or not at all.
CREATE OR REPLACE FUNCTION decide.keep_answer() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION 'the answer of a run is given when its outcome is latched' USING ERRCODE = '55000';
END $$;
COMMENT ON FUNCTION decide.keep_answer() IS 'Trigger of decide.runs; called by nobody.';
CREATE OR REPLACE TRIGGER keep_answer BEFORE UPDATE ON decide.runs FOR EACH ROW
  WHEN (OLD.answer IS DISTINCT FROM NEW.answer AND (OLD.phase, NEW.phase) NOT IN
    (('CREATED', 'FINALIZING'), ('AUTHORIZED', 'FINALIZING'), ('EXECUTING', 'FINALIZING')))
  EXECUTE FUNCTION decide.keep_answer();
-- A run begins at its beginning: the deciders' login cannot enter one that was never authorised, nor one that has ended.
CREATE OR REPLACE FUNCTION decide.guard_beginning() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF (NEW.phase, NEW.last_step, num_nonnulls(NEW.latched_at, NEW.answer)) IS DISTINCT FROM ('CREATED', 0, 0)
     AND NOT pg_has_role(session_user, 'rok_decide_owner', 'MEMBER') THEN
    RAISE EXCEPTION 'a run begins in phase CREATED, not in %', NEW.phase USING ERRCODE = '42501';
  END IF;
  RETURN NEW;
END $$;
COMMENT ON FUNCTION decide.guard_beginning() IS 'Trigger of decide.runs; called by nobody.';
CREATE OR REPLACE TRIGGER guard_beginning BEFORE INSERT ON decide.runs FOR EACH ROW EXECUTE FUNCTION decide.guard_beginning();
CREATE OR REPLACE TRIGGER no_delete BEFORE DELETE ON decide.runs FOR EACH ROW EXECUTE FUNCTION rok.refuse_change();
CREATE OR REPLACE TRIGGER no_truncate BEFORE TRUNCATE ON decide.runs FOR EACH STATEMENT EXECUTE FUNCTION rok.refuse_change();

CREATE OR REPLACE VIEW decide.v_runs AS SELECT * FROM decide.runs;
-- Execute's owner, for its view of what a reader may see of a run's contents.
GRANT SELECT ON decide.v_runs TO rok_audit, rok_audit_owner, rok_execute_owner, rok_read;

RESET ROLE;
