-- Triggers, views and rights that belong to `migrations/decide/0107_accounts.sql`.
SET ROLE rok_decide_owner;

GRANT SELECT, INSERT ON decide.budgets TO rok_decide;
GRANT SELECT ON decide.accounts TO rok_decide;
-- Rows are made by decide.accounts_of and move by decide.move: the login writes neither a cap nor a balance.
CREATE OR REPLACE TRIGGER append_only BEFORE UPDATE OR DELETE ON decide.journal FOR EACH ROW EXECUTE FUNCTION rok.refuse_change();
CREATE OR REPLACE TRIGGER no_truncate BEFORE TRUNCATE ON decide.journal FOR EACH STATEMENT EXECUTE FUNCTION rok.refuse_change();
GRANT SELECT ON decide.journal TO rok_decide;

CREATE OR REPLACE VIEW decide.v_accounts AS SELECT * FROM decide.accounts;
-- A row here is a bug: a balance is not what the journal sums to, or a cap not what it says last.
CREATE OR REPLACE VIEW decide.v_drift AS
  SELECT a.account_id, a.scope, a.subject, a.unit, a.time_window, a.window_start, d.what, d.balance, d.journal
  FROM decide.accounts a
  LEFT JOIN (
    SELECT j.account_id, sum(j.spent) AS spent, sum(j.reserved) AS reserved, sum(j.over) AS over,
           (array_agg(j.cap ORDER BY j.entry_id DESC) FILTER (WHERE j.cap IS NOT NULL))[1] AS cap
    FROM decide.journal j GROUP BY j.account_id) j USING (account_id),
  LATERAL (VALUES
    ('spent', a.spent::numeric, coalesce(j.spent, 0)),
    ('reserved', a.reserved, coalesce(j.reserved, 0)),
    ('over', a.over, coalesce(j.over, 0)),
    ('cap', a.cap, j.cap)) d (what, balance, journal)
  WHERE d.balance IS DISTINCT FROM d.journal;
-- At every entry, not only now: what had been admitted by then against the cap that held by then. `over` is not bounded, but
-- nothing is admitted beside it; a lowered cap keeps what was there before.
CREATE OR REPLACE VIEW decide.v_overspent AS
  SELECT t.* FROM (
    SELECT j.account_id, j.entry_id, j.op, j.at, j.reserved AS moved,
           sum(j.spent + j.reserved) OVER sofar AS admitted,
           max(j.cap) OVER (PARTITION BY j.account_id, j.epoch) AS cap
    FROM (SELECT j.*, count(j.cap) OVER (PARTITION BY j.account_id ORDER BY j.entry_id) AS epoch FROM decide.journal j) j
    WINDOW sofar AS (PARTITION BY j.account_id ORDER BY j.entry_id)) t
  WHERE t.op = 'reserve' AND t.moved > 0 AND t.admitted > t.cap;
GRANT SELECT ON decide.v_accounts, decide.v_drift, decide.v_overspent TO rok_decide, rok_audit, rok_audit_owner, rok_read;

RESET ROLE;
