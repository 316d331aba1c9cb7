-- A cap raised by an approved act of a run, in the act's own transaction. The deciders raise a cap in no other way: their login
-- has no UPDATE on budgets.
SET ROLE rok_decide_owner;

CREATE TABLE decide.raises (
  run_id uuid NOT NULL,
  update_id text NOT NULL,
  scope text NOT NULL,
  subject text NOT NULL,
  unit text NOT NULL,
  time_window text NOT NULL,
  -- The cap that the raise was based on, and was the cap; then the cap from there on.
  from_cap bigint NOT NULL CHECK (from_cap >= 0),
  to_cap bigint NOT NULL CHECK (to_cap > from_cap),
  -- Computed here, over what was asked: what the act's assertion is bound to.
  action_digest text NOT NULL,
  -- Of its own run, those that waited for this account: they end with it, but for those whose time was over (decide.raised_holds).
  holds integer[] NOT NULL,
  at timestamptz NOT NULL DEFAULT clock_timestamp(),
  PRIMARY KEY (run_id, update_id),
  -- Deferred: whether the act is allowed depends on whether the cap could be raised.
  FOREIGN KEY (run_id, update_id) REFERENCES decide.acts DEFERRABLE INITIALLY DEFERRED,
  FOREIGN KEY (scope, subject, unit, time_window) REFERENCES decide.budgets
);

RESET ROLE;
