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

CREATE SCHEMA rok AUTHORIZATION rok_owner;
CREATE SCHEMA decide AUTHORIZATION rok_decide_owner;
CREATE SCHEMA execute AUTHORIZATION rok_execute_owner;
CREATE SCHEMA observe AUTHORIZATION rok_observe_owner;
CREATE SCHEMA audit AUTHORIZATION rok_audit_owner;

-- PostgreSQL lets PUBLIC execute every new function unless told otherwise; a definer function must name its callers.
ALTER DEFAULT PRIVILEGES FOR ROLE rok_owner, rok_decide_owner, rok_execute_owner, rok_observe_owner, rok_audit_owner
  REVOKE EXECUTE ON FUNCTIONS FROM PUBLIC;

-- For the migrations that follow: columns of rok's domains, and foreign keys into another power's tables. What stands in the
-- end is what `repeatable/` grants.
GRANT USAGE ON SCHEMA rok TO rok_decide_owner, rok_execute_owner, rok_observe_owner, rok_audit_owner;
GRANT USAGE ON SCHEMA decide TO rok_execute_owner;
GRANT USAGE ON SCHEMA audit TO rok_decide_owner;
