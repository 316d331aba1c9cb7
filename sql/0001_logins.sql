-- Owners, logins, schemas, and what nobody gets by default.
-- Roles belong to the whole cluster, so each is made only where it is missing; passwords are set by the platform.
DO $$
DECLARE
  name text;
BEGIN
  FOREACH name IN ARRAY ARRAY['rok_owner', 'rok_decide_owner', 'rok_execute_owner', 'rok_observe_owner', 'rok_audit_owner'] LOOP
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = name) THEN
      EXECUTE format('CREATE ROLE %I NOLOGIN', name);
    END IF;
  END LOOP;
  FOREACH name IN ARRAY ARRAY['rok_decide', 'rok_execute', 'rok_observe', 'rok_audit', 'rok_read'] LOOP
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = name) THEN
      EXECUTE format('CREATE ROLE %I LOGIN NOINHERIT NOCREATEDB NOCREATEROLE', name);
    END IF;
  END LOOP;
END $$;

-- A database is entered by ROK's logins only, and holds nothing that everybody may use.
DO $$
BEGIN
  EXECUTE format('REVOKE ALL ON DATABASE %I FROM PUBLIC', current_database());
  EXECUTE format(
    'GRANT CONNECT ON DATABASE %I TO rok_decide, rok_execute, rok_observe, rok_audit, rok_read', current_database());
END $$;
REVOKE ALL ON SCHEMA public FROM PUBLIC;

CREATE SCHEMA rok AUTHORIZATION rok_owner;
CREATE SCHEMA decide AUTHORIZATION rok_decide_owner;
CREATE SCHEMA execute AUTHORIZATION rok_execute_owner;
CREATE SCHEMA observe AUTHORIZATION rok_observe_owner;
CREATE SCHEMA audit AUTHORIZATION rok_audit_owner;

-- PostgreSQL lets PUBLIC execute every new function unless told otherwise; a definer function must name its callers.
ALTER DEFAULT PRIVILEGES FOR ROLE rok_owner, rok_decide_owner, rok_execute_owner, rok_observe_owner, rok_audit_owner
  REVOKE EXECUTE ON FUNCTIONS FROM PUBLIC;

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
