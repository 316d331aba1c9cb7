-- What is evidence is written once: a row trigger for UPDATE and DELETE, a statement trigger for TRUNCATE.
-- A trigger and not a missing grant, because the owner keeps UPDATE: a foreign key check locks FOR KEY SHARE as owner.
SET ROLE rok_owner;

CREATE OR REPLACE FUNCTION rok.refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION 'append-only: % on %.% is refused', TG_OP, TG_TABLE_SCHEMA, TG_TABLE_NAME USING ERRCODE = '55000';
END $$;
COMMENT ON FUNCTION rok.refuse_change() IS 'Trigger of every evidence table; called by nobody.';
GRANT EXECUTE ON FUNCTION rok.refuse_change() TO
  rok_decide_owner, rok_execute_owner, rok_observe_owner, rok_audit_owner;

RESET ROLE;
