-- One row per run: its lifecycle and its identity. Every decide.* transaction locks it first.
SET ROLE rok_decide_owner;

CREATE TABLE decide.runs (
  run_id uuid PRIMARY KEY,
  tenant rok.short_name NOT NULL,
  agent rok.short_name NOT NULL,
  -- The caller's idempotency key.
  caller_id rok.short_name,
  workflow_id text NOT NULL UNIQUE CHECK (length(workflow_id) BETWEEN 1 AND 1000),
  -- The one Temporal execution that may act for this run; moved by continue-as-new and repair only.
  temporal_run_id text NOT NULL,
  -- What it is the history of: ROK's own run of an agent, or somebody's own workflow. From Temporal, never from the spec.
  kind text NOT NULL DEFAULT 'governedRun' CHECK (kind IN ('governedRun', 'own')),
  phase rok.phase NOT NULL,
  outcome rok.outcome,
  profile rok.profile NOT NULL,
  spec_digest text NOT NULL,
  -- Of the spec without its assertion but with the person, under the run's secret (decide.requests); NULL: it has no canonical form.
  request_digest rok.sha256_hex,
  agent_digest text,
  actor jsonb NOT NULL,
  -- In decide.persons; NULL where nobody was verified.
  requester uuid,
  labels jsonb NOT NULL DEFAULT '{}',
  limits jsonb NOT NULL,
  -- Steps, model calls, skill calls, successes, denials so far; kept here so that a step's cost does not grow.
  counters jsonb NOT NULL DEFAULT '{}',
  contract_digest text NOT NULL,
  run_deadline timestamptz NOT NULL,
  last_step rok.whole NOT NULL DEFAULT 0,
  detail text CHECK (length(detail) <= 2000),
  -- Digest of the final answer's content, as the body gave it back: whatever an own workflow said, the judge says whether
  -- it is one. Set with the outcome and never after.
  answer text CHECK (length(answer) <= 128),
  opened_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  latched_at timestamptz,
  ended_at timestamptz,
  UNIQUE (tenant, caller_id),
  -- IS NOT DISTINCT FROM, because a NULL outcome would make a plain comparison unknown, and unknown passes a CHECK.
  CONSTRAINT phase_fits_outcome CHECK (
    CASE phase
      WHEN 'COMPLETED' THEN outcome IS NOT DISTINCT FROM 'succeeded'
      WHEN 'FAILED' THEN outcome IS NOT NULL AND outcome IS DISTINCT FROM 'succeeded'
      WHEN 'FINALIZING' THEN outcome IS NOT NULL
      ELSE outcome IS NULL
    END),
  CONSTRAINT ended_fits_phase CHECK ((ended_at IS NOT NULL) = (phase IN ('COMPLETED', 'FAILED')))
-- Each step moves its counters: there is room for the next version beside it, so that no index has to hear of it.
) WITH (fillfactor = 70);
CREATE INDEX runs_open ON decide.runs (opened_at) WHERE phase NOT IN ('COMPLETED', 'FAILED');
CREATE INDEX runs_by_tenant ON decide.runs (tenant, opened_at DESC);
GRANT SELECT, INSERT ON decide.runs TO rok_decide;
-- What names a run is never changed; what happens to it is.
GRANT UPDATE (temporal_run_id, phase, outcome, counters, run_deadline, last_step, detail, answer)
  ON decide.runs TO rok_decide;

-- The lifecycle once more, where no program can go round it.
CREATE FUNCTION decide.guard_phase() RETURNS trigger LANGUAGE plpgsql AS $$
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
CREATE TRIGGER guard_phase BEFORE UPDATE ON decide.runs FOR EACH ROW
  WHEN (OLD.phase <> NEW.phase OR OLD.outcome IS DISTINCT FROM NEW.outcome) EXECUTE FUNCTION decide.guard_phase();
-- The answer comes with the outcome, in the same statement, or not at all.
CREATE FUNCTION decide.keep_answer() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION 'the answer of a run is given when its outcome is latched' USING ERRCODE = '55000';
END $$;
COMMENT ON FUNCTION decide.keep_answer() IS 'Trigger of decide.runs; called by nobody.';
CREATE TRIGGER keep_answer BEFORE UPDATE ON decide.runs FOR EACH ROW
  WHEN (OLD.answer IS DISTINCT FROM NEW.answer AND (OLD.phase, NEW.phase) NOT IN
    (('CREATED', 'FINALIZING'), ('AUTHORIZED', 'FINALIZING'), ('EXECUTING', 'FINALIZING')))
  EXECUTE FUNCTION decide.keep_answer();
-- A run begins at its beginning: the deciders' login cannot enter one that was never authorised, nor one that has ended.
CREATE FUNCTION decide.guard_beginning() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF (NEW.phase, NEW.last_step, num_nonnulls(NEW.latched_at, NEW.answer)) IS DISTINCT FROM ('CREATED', 0, 0)
     AND NOT pg_has_role(session_user, 'rok_decide_owner', 'MEMBER') THEN
    RAISE EXCEPTION 'a run begins in phase CREATED, not in %', NEW.phase USING ERRCODE = '42501';
  END IF;
  RETURN NEW;
END $$;
COMMENT ON FUNCTION decide.guard_beginning() IS 'Trigger of decide.runs; called by nobody.';
CREATE TRIGGER guard_beginning BEFORE INSERT ON decide.runs FOR EACH ROW EXECUTE FUNCTION decide.guard_beginning();
CREATE TRIGGER no_delete BEFORE DELETE ON decide.runs FOR EACH ROW EXECUTE FUNCTION rok.refuse_change();
CREATE TRIGGER no_truncate BEFORE TRUNCATE ON decide.runs FOR EACH STATEMENT EXECUTE FUNCTION rok.refuse_change();

CREATE VIEW decide.v_runs AS SELECT * FROM decide.runs;
GRANT SELECT ON decide.v_runs TO rok_audit, rok_audit_owner, rok_read;

RESET ROLE;
