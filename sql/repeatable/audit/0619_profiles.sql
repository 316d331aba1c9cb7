-- Functions, triggers and rights that belong to `migrations/audit/0619_profiles.sql`.
SET ROLE rok_audit_owner;

-- Written by the trigger below only: no login may say what a tenant's profile was.
CREATE OR REPLACE TRIGGER append_only BEFORE UPDATE OR DELETE ON audit.tenant_profiles FOR EACH ROW EXECUTE FUNCTION rok.refuse_change();
CREATE OR REPLACE TRIGGER no_truncate BEFORE TRUNCATE ON audit.tenant_profiles FOR EACH STATEMENT EXECUTE FUNCTION rok.refuse_change();
GRANT SELECT, INSERT ON audit.deployment_profiles TO rok_audit;
CREATE OR REPLACE TRIGGER append_only BEFORE UPDATE OR DELETE ON audit.deployment_profiles FOR EACH ROW EXECUTE FUNCTION rok.refuse_change();
CREATE OR REPLACE TRIGGER no_truncate BEFORE TRUNCATE ON audit.deployment_profiles FOR EACH STATEMENT EXECUTE FUNCTION rok.refuse_change();

CREATE OR REPLACE FUNCTION audit.copy_profile() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = audit, pg_temp AS $$
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

CREATE OR REPLACE FUNCTION audit.strictness(p_profile text) RETURNS integer LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT CASE p_profile WHEN 'STRICT' THEN 2 WHEN 'STANDARD' THEN 1 ELSE 0 END
$$;
COMMENT ON FUNCTION audit.strictness(text) IS 'How strict a profile is; for audit''s own functions.';

-- How strict a contract declared at a moment had to be at least: as the tenant's own profile says, else the deployment's. While
-- either was just being changed what stood before counts too: whoever opened the run may have read that.
CREATE OR REPLACE FUNCTION audit.least_strictness(p_tenant text, p_at timestamptz) RETURNS integer LANGUAGE sql STABLE PARALLEL SAFE AS $$
  SELECT least(
    audit.strictness(coalesce(
      (SELECT t.profile FROM audit.tenant_profiles t
       WHERE t.tenant = p_tenant AND t.since <= p_at - interval '1 minute' ORDER BY t.since DESC LIMIT 1),
      (SELECT d.profile FROM audit.deployment_profiles d WHERE d.since <= p_at - interval '1 minute' ORDER BY d.since DESC LIMIT 1))),
    (SELECT min(audit.strictness(coalesce(t.profile,
        (SELECT d.profile FROM audit.deployment_profiles d WHERE d.since <= t.since ORDER BY d.since DESC LIMIT 1))))
     FROM audit.tenant_profiles t
     WHERE t.tenant = p_tenant AND t.since > p_at - interval '1 minute' AND t.since <= p_at),
    (SELECT min(audit.strictness(coalesce(
        (SELECT t.profile FROM audit.tenant_profiles t
         WHERE t.tenant = p_tenant AND t.since <= d.since ORDER BY t.since DESC LIMIT 1), d.profile)))
     FROM audit.deployment_profiles d WHERE d.since > p_at - interval '1 minute' AND d.since <= p_at))
$$;
COMMENT ON FUNCTION audit.least_strictness(text, timestamptz) IS 'For audit''s own functions.';

RESET ROLE;
SET ROLE rok_decide_owner;

CREATE OR REPLACE TRIGGER copy_profile AFTER INSERT OR UPDATE OR DELETE ON decide.tenants FOR EACH ROW EXECUTE FUNCTION audit.copy_profile();

RESET ROLE;
