-- The ledger: budgets say what may be used, accounts hold what is, the journal sums to the accounts.
SET ROLE rok_decide_owner;

-- A budget makes one account per window. No row: no limit. 0: nothing.
CREATE TABLE decide.budgets (
  scope text NOT NULL CHECK (scope IN ('all', 'tenant', 'agent', 'run', 'label')),
  -- Tenant; `tenant/agent`; run id; `tenant/label=value`; empty for all.
  subject text NOT NULL,
  unit text NOT NULL CHECK (unit IN ('usd_micros', 'tokens', 'calls')),
  time_window text NOT NULL CHECK (time_window IN ('run', 'day', 'month', 'forever')),
  cap bigint NOT NULL CHECK (cap >= 0),
  on_breach text NOT NULL DEFAULT 'deny' CHECK (on_breach IN ('deny', 'pause', 'downgrade')),
  PRIMARY KEY (scope, subject, unit, time_window)
);
GRANT SELECT, INSERT ON decide.budgets TO rok_decide;

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
  cap bigint NOT NULL CHECK (cap >= 0),
  -- The cap; after a lowering, what was already spent and reserved, falling as that settles.
  ceiling bigint NOT NULL,
  spent bigint NOT NULL DEFAULT 0 CHECK (spent >= 0),
  reserved bigint NOT NULL DEFAULT 0 CHECK (reserved >= 0),
  -- What a cap would have refused in OBSERVE_ONLY, and what a provider took above its grant.
  over bigint NOT NULL DEFAULT 0 CHECK (over >= 0),
  warned_at timestamptz,
  UNIQUE (scope, subject, unit, time_window, window_start),
  FOREIGN KEY (scope, subject, unit, time_window) REFERENCES decide.budgets,
  CONSTRAINT ceiling_covers_cap CHECK (ceiling >= cap),
  CONSTRAINT never_overspent CHECK (spent + reserved <= ceiling)
);
GRANT SELECT ON decide.accounts TO rok_decide;
-- Rows are made by decide.accounts_of and move by decide.settle_and_reserve: the login writes neither a cap nor a balance.

CREATE TABLE decide.journal (
  entry_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  account_id bigint NOT NULL REFERENCES decide.accounts,
  run_id uuid NOT NULL,
  step integer NOT NULL,
  attempt integer NOT NULL,
  op text NOT NULL CHECK (op IN ('reserve', 'settle', 'release', 'forfeit')),
  reserved bigint NOT NULL,
  spent bigint NOT NULL,
  over bigint NOT NULL,
  at timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE INDEX journal_by_account ON decide.journal (account_id);
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON decide.journal FOR EACH ROW EXECUTE FUNCTION rok.refuse_change();
CREATE TRIGGER no_truncate BEFORE TRUNCATE ON decide.journal FOR EACH STATEMENT EXECUTE FUNCTION rok.refuse_change();
GRANT SELECT ON decide.journal TO rok_decide;

CREATE VIEW decide.v_accounts AS SELECT * FROM decide.accounts;
-- A row here is a bug: journal and balances disagree.
CREATE VIEW decide.v_drift AS
  SELECT a.account_id, a.scope, a.subject, a.unit, a.spent, a.reserved, a.over,
         coalesce(sum(j.spent), 0) AS journal_spent, coalesce(sum(j.reserved), 0) AS journal_reserved,
         coalesce(sum(j.over), 0) AS journal_over
  FROM decide.accounts a LEFT JOIN decide.journal j USING (account_id)
  GROUP BY a.account_id
  HAVING (a.spent, a.reserved, a.over)
    IS DISTINCT FROM (coalesce(sum(j.spent), 0), coalesce(sum(j.reserved), 0), coalesce(sum(j.over), 0));
GRANT SELECT ON decide.v_accounts, decide.v_drift TO rok_decide, rok_audit, rok_audit_owner, rok_read;

RESET ROLE;
