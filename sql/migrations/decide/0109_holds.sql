-- What a run waits for: each hold for an authorised actor, its deadline, or the run's end, several at once; and every act of an
-- actor, allowed or refused.
SET ROLE rok_decide_owner;

CREATE TABLE decide.holds (
  run_id uuid NOT NULL REFERENCES decide.runs,
  hold integer NOT NULL CHECK (hold >= 1),
  step rok.whole NOT NULL,
  -- Of a hold for MANUAL, which no attempt asked for: the how many-th pause of the run it is.
  attempt rok.ordinal NOT NULL,
  action_digest text,
  reason text NOT NULL CHECK (reason IN
    ('APPROVAL_REQUIRED', 'BUDGET', 'RATE_LIMIT', 'POLICY_CHANGED', 'NO_PROGRESS', 'UNKNOWN_RESULT', 'MANUAL')),
  authority text NOT NULL,
  quorum integer NOT NULL CHECK (quorum BETWEEN 1 AND 16),
  opened_by text NOT NULL,
  opened_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  until timestamptz NOT NULL,
  on_timeout text NOT NULL CHECK (on_timeout IN ('terminate', 'continue', 'escalate')),
  resolved_at timestamptz,
  resolution text CHECK (resolution IN ('approved', 'rejected', 'resumed', 'raised', 'timed_out', 'ended')),
  PRIMARY KEY (run_id, hold),
  -- What decide.approval_uses references.
  UNIQUE (run_id, hold, step),
  -- Asked for again it is the same hold; two different ones are never one.
  UNIQUE (run_id, step, attempt, reason),
  -- What a decision held is one action, and an answer names it; what an operator or the kernel held is none.
  CHECK ((action_digest IS NULL) = (reason IN ('MANUAL', 'UNKNOWN_RESULT'))),
  CHECK (resolution <> 'raised' OR reason = 'BUDGET'),
  CHECK (resolution <> 'resumed' OR action_digest IS NULL),
  CHECK ((resolved_at IS NULL) = (resolution IS NULL))
);
-- A run is paused by hand or it is not.
CREATE UNIQUE INDEX one_pause ON decide.holds (run_id) WHERE reason = 'MANUAL' AND resolved_at IS NULL;
CREATE INDEX holds_open ON decide.holds (until) WHERE resolved_at IS NULL;

CREATE TABLE decide.acts (
  run_id uuid NOT NULL REFERENCES decide.runs,
  update_id text NOT NULL CHECK (length(update_id) BETWEEN 1 AND 256),
  verb text NOT NULL CHECK (verb IN ('start', 'pause', 'resume', 'cancel', 'kill', 'finalize', 'approve', 'reject', 'raise_budget')),
  actor text NOT NULL,
  -- In decide.persons; NULL where nobody was verified.
  person uuid,
  roles text[] NOT NULL,
  issuer text NOT NULL,
  -- Single use; NULL for a local actor.
  token_id text UNIQUE,
  -- The assertion as it was presented, so that the audit can verify it again.
  assertion text,
  hold integer,
  action_digest text,
  -- Of a resume after UNKNOWN_RESULT: what who looked says of the call.
  was text CHECK (was IS NULL OR (was IN ('done', 'not_done') AND verb = 'resume')),
  allowed boolean NOT NULL,
  reason text CHECK (length(reason) <= 2000),
  -- The workflow `administer` that brought it beside the run, which has to be told; NULL where the run itself was asked.
  carrier text CHECK (length(carrier) BETWEEN 1 AND 1000),
  at timestamptz NOT NULL DEFAULT clock_timestamp(),
  PRIMARY KEY (run_id, update_id),
  CONSTRAINT allowed_to_somebody CHECK (person IS NOT NULL OR NOT allowed)
);
-- The audit verifies them again, oldest first.
CREATE INDEX acts_allowed ON decide.acts (at) WHERE allowed;
-- A run looks for what came beside it.
CREATE INDEX acts_beside ON decide.acts (run_id, at) WHERE allowed AND carrier IS NOT NULL;
-- A person counts once per hold.
CREATE UNIQUE INDEX one_voice ON decide.acts (run_id, hold, person) WHERE allowed AND verb IN ('approve', 'reject');

RESET ROLE;
