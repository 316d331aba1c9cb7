-- Rights that belong to `migrations/decide/0101_tenants.sql`.
SET ROLE rok_decide_owner;

-- The deciders read it; an administrator writes it as owner.
GRANT SELECT ON decide.tenants TO rok_decide;

RESET ROLE;
