-- Functions and rights that belong to `migrations/audit/0614_holders.sql`.
GRANT USAGE ON SCHEMA audit TO rok_ender_owner;
SET ROLE rok_audit_owner;

-- Of the whole row, because where it lies (ctid) is not to be had by columns.
GRANT SELECT ON audit.contracts TO rok_ender_owner;

-- The judge's way to wait: whoever holds the contract is then seen to be waited for.
CREATE OR REPLACE FUNCTION audit.wait_for(p_run uuid) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = audit, pg_temp AS $$
BEGIN
  PERFORM FROM audit.contracts c WHERE c.run_id = p_run FOR NO KEY UPDATE;
END $$;
COMMENT ON FUNCTION audit.wait_for(uuid) IS 'Waits for the lock of a contract, as long as lock_timeout lets it; rok_audit only, before it judges the run in the same transaction.';
GRANT EXECUTE ON FUNCTION audit.wait_for(uuid) TO rok_audit;

RESET ROLE;

-- A row's lock is on the row; only who waits for it shows, in pg_locks, whom for: a waiter has the lock of the tuple and
-- waits for a transaction. So this takes no session's word: it looks who waits for the very row of an overdue contract.
CREATE OR REPLACE FUNCTION audit.end_holders(p_run uuid) RETURNS integer
LANGUAGE sql SECURITY DEFINER SET search_path = audit, pg_temp AS $$
  SELECT count(*)::integer FROM (
    SELECT DISTINCT s.pid
    FROM (SELECT (x.ctid::text::point)[0]::integer AS page, (x.ctid::text::point)[1]::smallint AS tuple
          FROM audit.contracts x WHERE x.run_id = p_run
            AND x.judge_after <= clock_timestamp() AND x.finalize_due < clock_timestamp() - interval '10 seconds') c
    JOIN pg_locks t ON t.locktype = 'tuple' AND t.relation = 'audit.contracts'::regclass AND (t.page, t.tuple) = (c.page, c.tuple)
      AND t.database = (SELECT d.oid FROM pg_database d WHERE d.datname = current_database())
    JOIN pg_locks w ON w.pid = t.pid AND w.locktype = 'transactionid' AND NOT w.granted
    JOIN pg_locks h ON h.locktype = 'transactionid' AND h.granted AND h.transactionid = w.transactionid
    JOIN pg_stat_activity s ON s.pid = h.pid
    WHERE s.usename IN ('rok_decide', 'rok_execute', 'rok_observe', 'rok_audit', 'rok_read')
      -- Nobody's work takes so long: an acknowledger has 3 s in all, a page of the judge's 25.
      AND s.xact_start < clock_timestamp() - CASE s.usename WHEN 'rok_audit' THEN interval '60 seconds' ELSE interval '5 seconds' END
      AND s.pid <> pg_backend_pid()) e
  WHERE pg_terminate_backend(e.pid)
$$;
ALTER FUNCTION audit.end_holders(uuid) OWNER TO rok_ender_owner;
COMMENT ON FUNCTION audit.end_holders(uuid) IS
  'Ends the sessions of ROK''s own logins that hold the contract of a run more than 10 s past its due time, while the judge waits for it; rok_audit only. Answers how many.';
REVOKE EXECUTE ON FUNCTION audit.end_holders(uuid) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION audit.end_holders(uuid) TO rok_audit;
