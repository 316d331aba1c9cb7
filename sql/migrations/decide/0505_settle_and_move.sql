-- What every settle and reserve does, for one run or for many: lock the accounts, close warrants, move balances. Only for
-- decide.settle_and_reserve and decide.reserve_in_full, whose rights, path and planner settings these run with.
--
-- A session keeps its plans, and the planner takes a list for a hundred rows: it would read the whole table, or all that the
-- run ever reserved, to look up one row. Hence look-ups by key only (LATERAL, OFFSET 0); a step's cost must not grow.
SET ROLE rok_decide_owner;

-- An entry of the journal before it is written: balances and journal move by the same list.
CREATE TYPE decide.movement AS (account_id bigint, run_id uuid, step integer, attempt integer, op text, reserved bigint,
  spent bigint, over bigint);

RESET ROLE;
