-- Who enters the database and each schema; what is in them is granted beside the object.
-- What `migrations/0001_logins.sql` grants for migrations alone was taken back before this runs.
-- A database is entered by ROK's logins only, and holds nothing that everybody may use.
DO $$
BEGIN
  EXECUTE format('REVOKE ALL ON DATABASE %I FROM PUBLIC', current_database());
  EXECUTE format(
    'GRANT CONNECT ON DATABASE %I TO rok_decide, rok_execute, rok_observe, rok_audit, rok_read', current_database());
END $$;
REVOKE ALL ON SCHEMA public FROM PUBLIC;

-- Each login works in its own schema; every other right is granted beside the object it is for.
GRANT USAGE ON SCHEMA decide TO rok_decide, rok_execute, rok_audit, rok_read;
GRANT USAGE ON SCHEMA execute TO rok_execute, rok_decide, rok_audit, rok_read;
GRANT USAGE ON SCHEMA observe TO rok_observe, rok_decide, rok_audit, rok_read;
GRANT USAGE ON SCHEMA audit TO rok_audit, rok_decide, rok_execute, rok_observe, rok_read;
-- Owners call across: decide's functions fence and declare; observe's append reads the contract and acks; the judge reads all.
GRANT USAGE ON SCHEMA execute TO rok_decide_owner, rok_audit_owner;
GRANT USAGE ON SCHEMA audit TO rok_decide_owner, rok_observe_owner;
GRANT USAGE ON SCHEMA decide TO rok_execute_owner, rok_audit_owner;
GRANT USAGE ON SCHEMA observe TO rok_audit_owner;
-- Trigger functions are shared.
GRANT USAGE ON SCHEMA rok TO rok_decide_owner, rok_execute_owner, rok_observe_owner, rok_audit_owner;
