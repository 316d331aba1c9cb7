-- Rights that belong to `migrations/audit/0119_unchecked_approvals.sql`.
SET ROLE rok_audit_owner;

GRANT SELECT, INSERT, UPDATE, DELETE ON audit.unchecked_approvals TO rok_audit;

RESET ROLE;
