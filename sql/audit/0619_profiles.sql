-- Audit's own knowledge of which profile a tenant has, with its history: a contract says what was declared, this what was due.
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

-- What holds for tenants without a profile of their own: the audit worker enters what it is configured with itself, so that
-- no decider's word is taken for it.
CREATE TABLE audit.deployment_profiles (
  since timestamptz PRIMARY KEY DEFAULT clock_timestamp(),
  profile text NOT NULL CHECK (profile IN ('STRICT', 'STANDARD', 'OBSERVE_ONLY'))
);
GRANT SELECT, INSERT ON audit.deployment_profiles TO rok_audit;
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON audit.deployment_profiles FOR EACH ROW EXECUTE FUNCTION rok.refuse_change();
CREATE TRIGGER no_truncate BEFORE TRUNCATE ON audit.deployment_profiles FOR EACH STATEMENT EXECUTE FUNCTION rok.refuse_change();

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

-- How strict a contract declared at a moment had to be at least: as the tenant's own profile says, else the deployment's. While
-- either was just being changed what stood before counts too: whoever opened the run may have read that.
CREATE FUNCTION audit.least_strictness(p_tenant text, p_at timestamptz) RETURNS integer LANGUAGE sql STABLE PARALLEL SAFE AS $$
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
CREATE TRIGGER copy_profile AFTER INSERT OR UPDATE OR DELETE ON decide.tenants FOR EACH ROW EXECUTE FUNCTION audit.copy_profile();

RESET ROLE;
