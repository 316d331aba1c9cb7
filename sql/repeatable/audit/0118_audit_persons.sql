-- Functions, triggers, views and rights that belong to `migrations/audit/0118_audit_persons.sql`.
SET ROLE rok_audit_owner;

GRANT SELECT, INSERT ON audit.persons TO rok_audit;

CREATE OR REPLACE FUNCTION audit.only_erase() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF (NEW.person, NEW.tenant, NEW.issuer, NEW.since) IS DISTINCT FROM (OLD.person, OLD.tenant, OLD.issuer, OLD.since)
     OR (NEW.subject, NEW.folded) IS DISTINCT FROM (OLD.subject, OLD.folded) AND NEW.subject IS NOT NULL THEN
    RAISE EXCEPTION 'of a person only its names change, and only by being erased' USING ERRCODE = '55000';
  END IF;
  RETURN NEW;
END $$;
COMMENT ON FUNCTION audit.only_erase() IS 'Trigger of audit.persons; called by nobody.';
CREATE OR REPLACE TRIGGER only_erase BEFORE UPDATE ON audit.persons FOR EACH ROW EXECUTE FUNCTION audit.only_erase();
CREATE OR REPLACE TRIGGER no_delete BEFORE DELETE ON audit.persons FOR EACH ROW EXECUTE FUNCTION rok.refuse_change();
CREATE OR REPLACE TRIGGER no_truncate BEFORE TRUNCATE ON audit.persons FOR EACH STATEMENT EXECUTE FUNCTION rok.refuse_change();

-- p_who: {issuer, subject, folded}; NULL for nobody.
CREATE OR REPLACE FUNCTION audit.person_of(p_tenant text, p_who jsonb) RETURNS uuid
LANGUAGE plpgsql SET search_path = audit, pg_temp AS $$
DECLARE
  found_person uuid;
BEGIN
  IF p_who IS NULL THEN RETURN NULL; END IF;
  FOR i IN 1..2 LOOP
    SELECT p.person INTO found_person FROM audit.persons p
      WHERE p.tenant = p_tenant AND p.issuer = p_who ->> 'issuer' AND p.subject = p_who ->> 'subject';
    IF FOUND THEN RETURN found_person; END IF;
    INSERT INTO audit.persons (tenant, issuer, subject, folded)
      VALUES (p_tenant, p_who ->> 'issuer', p_who ->> 'subject', p_who ->> 'folded')
      ON CONFLICT DO NOTHING RETURNING person INTO found_person;
    IF FOUND THEN RETURN found_person; END IF;
  END LOOP;
  RAISE EXCEPTION 'a person was entered and is not seen' USING ERRCODE = '40001';
END $$;
COMMENT ON FUNCTION audit.person_of(text, jsonb) IS
  'The audit''s id of a person, entered at its first check. Called by the audit with what it verified; it has its rights and no others.';
GRANT EXECUTE ON FUNCTION audit.person_of(text, jsonb) TO rok_audit;

-- A local name and a signed subject that folds to it are one voice: nobody vouched that they are two.
CREATE OR REPLACE FUNCTION audit.same_person(p_one uuid, p_other uuid) RETURNS boolean LANGUAGE sql STABLE PARALLEL SAFE AS $$
  SELECT p_one = p_other OR EXISTS (
    SELECT FROM audit.persons a, audit.persons b
    WHERE a.person = p_one AND b.person = p_other AND a.tenant = b.tenant
      AND (a.issuer = 'local') <> (b.issuer = 'local') AND a.folded = b.folded)
$$;
COMMENT ON FUNCTION audit.same_person(uuid, uuid) IS 'Whether two of the audit''s ids are one person; for the judge.';
GRANT EXECUTE ON FUNCTION audit.same_person(uuid, uuid) TO rok_audit;

CREATE OR REPLACE VIEW audit.v_persons AS SELECT * FROM audit.persons;
GRANT SELECT ON audit.v_persons TO rok_read;

RESET ROLE;
