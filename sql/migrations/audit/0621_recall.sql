-- Facts that arrive in another power's tables after a verdict make the run due again. One look goes through all of them, a
-- portion at a time, from where the last look began, less what a transaction may take between stamping such a fact and
-- committing it.
SET ROLE rok_audit_owner;

-- The look under way; none: the next begins.
CREATE TABLE audit.recall_look (
  one boolean PRIMARY KEY DEFAULT true CHECK (one),
  began_at timestamptz NOT NULL,
  -- The last that was looked at.
  at timestamptz NOT NULL,
  workflow_id text NOT NULL,
  temporal_run_id text NOT NULL,
  -- The first whose run somebody had locked: the next look begins no later.
  skipped_at timestamptz
);
-- Written by audit.recall only.

RESET ROLE;
