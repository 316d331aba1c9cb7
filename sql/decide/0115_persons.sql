-- Who is one person, as the deciders count them: for quorum, one voice, and four eyes. What an act stores is the id; the name
-- can be erased, and the id stays.
SET ROLE rok_decide_owner;

CREATE TABLE decide.persons (
  person uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  tenant rok.short_name NOT NULL,
  -- A configured issuer, a group of them, `*` where none is configured, or `local`.
  issuer text NOT NULL CHECK (length(issuer) BETWEEN 1 AND 512),
  -- Exactly as signed; folded for a local name. NULL: erased.
  subject text CHECK (length(subject) <= 256),
  -- What a local name that means the same person folds to (src/domain/person.ts).
  folded text CHECK (length(folded) <= 8192),
  -- As it was first given.
  display_name text CHECK (length(display_name) <= 512),
  since timestamptz NOT NULL DEFAULT clock_timestamp(),
  CONSTRAINT known_by_subject UNIQUE (tenant, issuer, subject),
  CHECK ((subject IS NULL) = (folded IS NULL) AND (subject IS NOT NULL OR display_name IS NULL))
);
GRANT SELECT, INSERT ON decide.persons TO rok_decide;

ALTER TABLE decide.runs ADD FOREIGN KEY (requester) REFERENCES decide.persons;
ALTER TABLE decide.acts ADD FOREIGN KEY (person) REFERENCES decide.persons;

-- An administrator erases as owner (docs/operations.md): names, and nothing else, and of nobody who has a voice in a run that is
-- still open, because it would have a second one under its next id.
CREATE FUNCTION decide.only_erase() RETURNS trigger LANGUAGE plpgsql SET search_path = decide, pg_temp AS $$
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
CREATE TRIGGER only_erase BEFORE UPDATE ON decide.persons FOR EACH ROW EXECUTE FUNCTION decide.only_erase();
CREATE TRIGGER no_delete BEFORE DELETE ON decide.persons FOR EACH ROW EXECUTE FUNCTION rok.refuse_change();
CREATE TRIGGER no_truncate BEFORE TRUNCATE ON decide.persons FOR EACH STATEMENT EXECUTE FUNCTION rok.refuse_change();

-- p_who: {issuer, subject, folded, name}; NULL for nobody.
CREATE FUNCTION decide.person_of(p_tenant text, p_who jsonb) RETURNS uuid
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

CREATE VIEW decide.v_persons AS SELECT * FROM decide.persons;
-- Not the audit: it derives persons by itself.
GRANT SELECT ON decide.v_persons TO rok_read;

RESET ROLE;
