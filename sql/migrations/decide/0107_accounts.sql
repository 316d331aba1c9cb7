-- The ledger: budgets say what may be used, accounts hold what is, the journal sums to the accounts.
SET ROLE rok_decide_owner;

-- A budget makes one account per window. No row: no limit. 0: nothing. A changed cap reaches the account of the window that
-- is open (0504_budget_changes.sql); to take a limit away, set the largest cap.
CREATE TABLE decide.budgets (
  scope text NOT NULL CHECK (scope IN ('all', 'tenant', 'agent', 'run', 'label')),
  -- Tenant; `tenant/agent`; run id; `tenant/label=value`; empty for all.
  subject text NOT NULL,
  unit text NOT NULL CHECK (unit IN ('usd_micros', 'tokens', 'calls')),
  time_window text NOT NULL CHECK (time_window IN ('run', 'day', 'month', 'forever')),
  cap rok.amount NOT NULL,
  on_breach text NOT NULL DEFAULT 'deny' CHECK (on_breach IN ('deny', 'pause', 'downgrade')),
  PRIMARY KEY (scope, subject, unit, time_window)
);

CREATE TABLE decide.accounts (
  account_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  scope text NOT NULL,
  subject text NOT NULL,
  unit text NOT NULL,
  time_window text NOT NULL,
  window_start timestamptz NOT NULL,
  -- Locks are taken by rank, then id: the widest scope last, always in one order.
  rank smallint GENERATED ALWAYS AS (
    CASE scope WHEN 'run' THEN 1 WHEN 'label' THEN 2 WHEN 'agent' THEN 3 WHEN 'tenant' THEN 4 ELSE 5 END) STORED,
  on_breach text NOT NULL,
  cap rok.amount NOT NULL,
  -- The cap; after a lowering, what was already spent and reserved, falling as that settles.
  ceiling bigint NOT NULL,
  spent rok.amount NOT NULL DEFAULT 0,
  reserved rok.amount NOT NULL DEFAULT 0,
  -- What a cap would have refused in OBSERVE_ONLY, and what a provider took above its grant.
  over rok.amount NOT NULL DEFAULT 0,
  warned_at timestamptz,
  UNIQUE (scope, subject, unit, time_window, window_start),
  FOREIGN KEY (scope, subject, unit, time_window) REFERENCES decide.budgets,
  CONSTRAINT ceiling_covers_cap CHECK (ceiling >= cap),
  CONSTRAINT never_overspent CHECK (spent + reserved <= ceiling)
) WITH (fillfactor = 50);

-- Numbered under the account's lock: of one account, the order of the numbers is the order of what happened.
CREATE TABLE decide.journal (
  entry_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  account_id bigint NOT NULL REFERENCES decide.accounts,
  -- The attempt that moved the balances; none where an account was opened or its cap was changed.
  run_id uuid,
  step integer,
  attempt integer,
  op rok.journal_op NOT NULL,
  reserved bigint NOT NULL DEFAULT 0,
  spent bigint NOT NULL DEFAULT 0,
  over bigint NOT NULL DEFAULT 0,
  -- From here on, where the entry sets it.
  cap bigint,
  at timestamptz NOT NULL DEFAULT clock_timestamp(),
  CHECK ((op IN ('open', 'cap')) = (cap IS NOT NULL)),
  CHECK ((cap IS NOT NULL) = (num_nulls(run_id, step, attempt) = 3)),
  CHECK (cap IS NULL OR (reserved = 0 AND spent = 0 AND over = 0))
);
CREATE INDEX journal_by_account ON decide.journal (account_id);

RESET ROLE;
