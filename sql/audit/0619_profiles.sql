-- Audit's own copy of which profile a tenant has, with its history: a contract says what was declared, this what was due.
SET ROLE rok_audit_owner;

CREATE TABLE audit.tenant_profiles (
  tenant text NOT NULL,
  since timestamptz NOT NULL DEFAULT clock_timestamp(),
  -- NULL: none of its own from then on.
  profile text CHECK (profile IN ('STRICT', 'STANDARD', 'OBSERVE_ONLY')),
  PRIMARY KEY (tenant, since)
);
-- Written by the trigger below only: no login may say what a tenant's profile was.
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON audit.tenant_profiles FOR EACH ROW EXECUTE FUNCTION rok.refuse_change();
CREATE TRIGGER no_truncate BEFORE TRUNCATE ON audit.tenant_profiles FOR EACH STATEMENT EXECUTE FUNCTION rok.refuse_change();

CREATE FUNCTION audit.copy_profile() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = audit, pg_temp AS $$
BEGIN
  IF TG_OP <> 'INSERT' AND (TG_OP = 'DELETE' OR OLD.tenant <> NEW.tenant) THEN
    INSERT INTO audit.tenant_profiles (tenant, profile) VALUES (OLD.tenant, NULL);
  END IF;
  IF TG_OP <> 'DELETE' THEN
    INSERT INTO audit.tenant_profiles (tenant, profile) VALUES (NEW.tenant, NEW.profile);
  END IF;
  RETURN NULL;
END $$;
COMMENT ON FUNCTION audit.copy_profile() IS 'Trigger of decide.tenants, as owner because nobody else may write the copy; called by nobody.';
GRANT EXECUTE ON FUNCTION audit.copy_profile() TO rok_decide_owner;

CREATE FUNCTION audit.strictness(p_profile text) RETURNS integer LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT CASE p_profile WHEN 'STRICT' THEN 2 WHEN 'STANDARD' THEN 1 ELSE 0 END
$$;
COMMENT ON FUNCTION audit.strictness(text) IS 'How strict a profile is; for audit''s own functions.';

-- How strict a contract declared at a moment had to be at least. While the profile was just being changed either counts:
-- whoever opened the run may have read what stood before.
CREATE FUNCTION audit.least_strictness(p_tenant text, p_at timestamptz) RETURNS integer LANGUAGE sql STABLE PARALLEL SAFE AS $$
  SELECT least(
    coalesce((SELECT audit.strictness(t.profile) FROM audit.tenant_profiles t
      WHERE t.tenant = p_tenant AND t.since <= p_at - interval '1 minute' ORDER BY t.since DESC LIMIT 1), 0),
    (SELECT min(audit.strictness(t.profile)) FROM audit.tenant_profiles t
      WHERE t.tenant = p_tenant AND t.since > p_at - interval '1 minute' AND t.since <= p_at))
$$;
COMMENT ON FUNCTION audit.least_strictness(text, timestamptz) IS 'For audit''s own functions.';

RESET ROLE;
SET ROLE rok_decide_owner;
CREATE TRIGGER copy_profile AFTER INSERT OR UPDATE OR DELETE ON decide.tenants FOR EACH ROW EXECUTE FUNCTION audit.copy_profile();

RESET ROLE;
