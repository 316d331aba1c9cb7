-- Audit's own knowledge of which profile a tenant has, with its history: a contract says what was declared, this what was due.
SET ROLE rok_audit_owner;

CREATE TABLE audit.tenant_profiles (
  tenant text NOT NULL,
  since timestamptz NOT NULL DEFAULT clock_timestamp(),
  -- NULL: none of its own from then on.
  profile text CHECK (profile IN ('STRICT', 'STANDARD', 'OBSERVE_ONLY')),
  PRIMARY KEY (tenant, since)
);

-- What holds for tenants without a profile of their own: the audit worker enters what it is configured with itself, so that
-- no decider's word is taken for it.
CREATE TABLE audit.deployment_profiles (
  since timestamptz PRIMARY KEY DEFAULT clock_timestamp(),
  profile text NOT NULL CHECK (profile IN ('STRICT', 'STANDARD', 'OBSERVE_ONLY'))
);

RESET ROLE;
