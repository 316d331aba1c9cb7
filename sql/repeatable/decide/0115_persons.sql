-- Functions, triggers, views and rights that belong to `migrations/decide/0115_persons.sql`.
SET ROLE rok_decide_owner;

GRANT SELECT, INSERT ON decide.persons TO rok_decide;

-- An administrator erases as owner (docs/operations.md): names, and nothing else, and of nobody who has a voice in a run that is
-- still open, because it would have a second one under its next id.
CREATE OR REPLACE FUNCTION decide.only_erase() RETURNS trigger LANGUAGE plpgsql SET search_path = decide, pg_temp AS $$
BEGIN
  IF (NEW.person, NEW.tenant, NEW.issuer, NEW.since) IS DISTINCT FROM (OLD.person, OLD.tenant, OLD.issuer, OLD.since)
     OR NEW.display_name IS DISTINCT FROM OLD.display_name AND NEW.display_name IS NOT NULL
     OR (NEW.subject, NEW.folded) IS DISTINCT FROM (OLD.subject, OLD.folded) AND NEW.subject IS NOT NULL THEN
    RAISE EXCEPTION 'of a person only its names change, and only by being erased' USING ERRCODE = '55000';
  END IF;
  IF NEW.subject IS NULL AND EXISTS (
    SELECT FROM decide.runs r WHERE r.phase NOT IN ('COMPLETED', 'FAILED') AND (r.requester = OLD.person
      OR EXISTS (SELECT FROM decide.acts a WHERE a.run_id = r.run_id AND a.person = OLD.person))) THEN
    RAISE EXCEPTION 'person % takes part in a run that is open', OLD.person USING ERRCODE = '55000';
  END IF;
  RETURN NEW;
END $$;
COMMENT ON FUNCTION decide.only_erase() IS 'Trigger of decide.persons; called by nobody.';
CREATE OR REPLACE TRIGGER only_erase BEFORE UPDATE ON decide.persons FOR EACH ROW EXECUTE FUNCTION decide.only_erase();
CREATE OR REPLACE TRIGGER no_delete BEFORE DELETE ON decide.persons FOR EACH ROW EXECUTE FUNCTION rok.refuse_change();
CREATE OR REPLACE TRIGGER no_truncate BEFORE TRUNCATE ON decide.persons FOR EACH STATEMENT EXECUTE FUNCTION rok.refuse_change();

-- p_who: {issuer, subject, folded, name}; NULL for nobody.
CREATE OR REPLACE FUNCTION decide.person_of(p_tenant text, p_who jsonb) RETURNS uuid
LANGUAGE plpgsql SET search_path = decide, pg_temp AS $$
DECLARE
  found_person uuid;
BEGIN
  IF p_who IS NULL THEN RETURN NULL; END IF;
  -- Twice at most: another transaction may enter the same person in between.
  FOR i IN 1..2 LOOP
    SELECT p.person INTO found_person FROM decide.persons p
      WHERE p.tenant = p_tenant AND p.issuer = p_who ->> 'issuer' AND p.subject = p_who ->> 'subject';
    IF FOUND THEN RETURN found_person; END IF;
    INSERT INTO decide.persons (tenant, issuer, subject, folded, display_name)
      VALUES (p_tenant, p_who ->> 'issuer', p_who ->> 'subject', p_who ->> 'folded', p_who ->> 'name')
      ON CONFLICT DO NOTHING RETURNING person INTO found_person;
    IF FOUND THEN RETURN found_person; END IF;
  END LOOP;
  RAISE EXCEPTION 'a person was entered and is not seen' USING ERRCODE = '40001';
END $$;
COMMENT ON FUNCTION decide.person_of(text, jsonb) IS
  'The id of a person, entered at its first act. Called by the deciders with what they verified; it has their rights and no others.';
GRANT EXECUTE ON FUNCTION decide.person_of(text, jsonb) TO rok_decide;

CREATE OR REPLACE VIEW decide.v_persons AS SELECT * FROM decide.persons;
-- Not the audit: it derives persons by itself.
GRANT SELECT ON decide.v_persons TO rok_read;

RESET ROLE;
