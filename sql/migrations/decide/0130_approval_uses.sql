-- What an approval was used for: one row for each attempt that began under it. It counts for its own step, until an attempt of
-- that step succeeded, and for no other.
SET ROLE rok_decide_owner;

CREATE TABLE decide.approval_uses (
  run_id uuid NOT NULL,
  hold integer NOT NULL,
  step integer NOT NULL,
  attempt integer NOT NULL,
  used_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  PRIMARY KEY (run_id, hold, attempt),
  -- The hold's own step: all NOT NULL, because a composite key with a NULL in it is not checked.
  FOREIGN KEY (run_id, hold, step) REFERENCES decide.holds (run_id, hold, step),
  FOREIGN KEY (run_id, step, attempt) REFERENCES decide.decisions
);
CREATE INDEX approval_uses_by_attempt ON decide.approval_uses (run_id, step, attempt);
-- Written by decide.redeem_together only: no login may say that an approval was used, or that it was not.

RESET ROLE;
