-- What a tenant's auditor may see: every piece of evidence of its own tenant, nothing of another, and no way to change any.
-- An auditor has a login of its own, named `rok_auditor_…`, made by an administrator as a member of `rok_auditor`:
--   CREATE ROLE rok_auditor_acme LOGIN PASSWORD '…' CONNECTION LIMIT 5 IN ROLE rok_auditor;
--   INSERT INTO auditor.tenants (login, tenant) VALUES ('rok_auditor_acme', 'acme');
DO $$
BEGIN
  IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'rok_auditor') THEN
    CREATE ROLE rok_auditor NOLOGIN NOCREATEDB NOCREATEROLE;
  END IF;
END $$;

-- Audit's owner reads every power's evidence already; these views show it row by row to those it belongs to.
CREATE SCHEMA auditor AUTHORIZATION rok_audit_owner;
SET ROLE rok_audit_owner;

CREATE TABLE auditor.tenants (
  login name NOT NULL CHECK (login ~ '^rok_auditor_[a-z0-9_]{1,50}$'),
  tenant text NOT NULL CHECK (length(tenant) BETWEEN 1 AND 128 AND tenant <> '-'),
  PRIMARY KEY (login, tenant)
);
-- Written by an administrator as owner, as terms are; no login may.

RESET ROLE;
