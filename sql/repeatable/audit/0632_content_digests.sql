-- Functions, triggers, views and rights that belong to `migrations/audit/0632_content_digests.sql`.
SET ROLE rok_audit_owner;

GRANT SELECT ON audit.content_digests TO rok_audit;

CREATE OR REPLACE FUNCTION audit.guard_content_digest() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF (NEW.run_id, NEW.kind, NEW.key, NEW.digest) IS DISTINCT FROM (OLD.run_id, OLD.kind, OLD.key, OLD.digest) OR NEW.salt IS NOT NULL THEN
    RAISE EXCEPTION 'append-only: of a content digest nothing but its salt may be erased' USING ERRCODE = '55000';
  END IF;
  RETURN NEW;
END $$;
COMMENT ON FUNCTION audit.guard_content_digest() IS 'Trigger of audit.content_digests; called by nobody.';
CREATE OR REPLACE TRIGGER guard_digest BEFORE UPDATE ON audit.content_digests FOR EACH ROW EXECUTE FUNCTION audit.guard_content_digest();
CREATE OR REPLACE TRIGGER no_delete BEFORE DELETE ON audit.content_digests FOR EACH ROW EXECUTE FUNCTION rok.refuse_change();
CREATE OR REPLACE TRIGGER no_truncate BEFORE TRUNCATE ON audit.content_digests FOR EACH STATEMENT EXECUTE FUNCTION rok.refuse_change();

-- The content as it is now, by record. What is NULL and what is empty are two things.
CREATE OR REPLACE VIEW audit.contents_now AS
  SELECT a.run_id, 'acts' AS kind, a.update_id AS key, jsonb_build_array(a.actor, a.assertion, a.reason)::text AS content
  FROM decide.v_acts a
  UNION ALL
  -- Of an open run it may still change.
  SELECT r.run_id, 'runs', '1', jsonb_build_array(r.actor, r.labels, r.detail)::text
  FROM decide.v_runs r WHERE r.phase IN ('COMPLETED', 'FAILED')
  UNION ALL
  SELECT h.run_id, 'holds', h.hold::text, jsonb_build_array(h.opened_by)::text FROM decide.v_holds h
  UNION ALL
  SELECT o.run_id, 'incidents', '1', jsonb_build_array(o.detail, o.context)::text FROM execute.v_incident_occurrences o;

CREATE OR REPLACE FUNCTION audit.seal_contents(p_runs uuid[]) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = audit, pg_temp AS $$
  INSERT INTO audit.content_digests (run_id, kind, key, salt, digest)
  SELECT x.run_id, x.kind, x.key, x.salt, encode(sha256(int8send(14) || convert_to('rok.content.v1', 'UTF8')
         || int8send(octet_length(convert_to(x.salt || x.content, 'UTF8'))::bigint) || convert_to(x.salt || x.content, 'UTF8')), 'hex')
  FROM (
    SELECT n.*, encode(sha256(uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid())), 'hex') AS salt
    FROM unnest(p_runs) AS p (run_id) JOIN audit.contents_now n ON n.run_id = p.run_id OFFSET 0) x
  ON CONFLICT DO NOTHING
$$;
COMMENT ON FUNCTION audit.seal_contents(uuid[]) IS
  'Takes the digests of what persons wrote, once; rok_audit only, in the transaction that signs. Definer, because no login may write one.';
GRANT EXECUTE ON FUNCTION audit.seal_contents(uuid[]) TO rok_audit;

CREATE OR REPLACE VIEW audit.v_content_digests AS SELECT run_id, kind, key, digest FROM audit.content_digests;
-- What is not what was signed. Written out, because whoever reads a view must have the right to call the functions in it. Where the salt was erased the content must be gone too: an assertion or a reason that is there
-- would be another one.
CREATE OR REPLACE VIEW audit.v_content_drift AS
  SELECT d.run_id, d.kind, d.key
  FROM audit.content_digests d LEFT JOIN audit.contents_now n USING (run_id, kind, key)
  WHERE n.run_id IS NULL
     OR (d.salt IS NOT NULL AND encode(sha256(int8send(14) || convert_to('rok.content.v1', 'UTF8')
         || int8send(octet_length(convert_to(d.salt || n.content, 'UTF8'))::bigint) || convert_to(d.salt || n.content, 'UTF8')), 'hex') <> d.digest)
     OR (d.salt IS NULL AND d.kind = 'acts' AND (n.content::jsonb -> 1 <> 'null' OR n.content::jsonb -> 2 <> 'null'));
GRANT SELECT ON audit.v_content_digests, audit.v_content_drift TO rok_audit, rok_read;

RESET ROLE;
