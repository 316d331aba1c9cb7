-- What is configured per tenant: for now the profile in force. No row: the worker's own profile.
SET ROLE rok_decide_owner;

CREATE TABLE decide.tenants (
  tenant text PRIMARY KEY CHECK (length(tenant) BETWEEN 1 AND 128),
  profile text CHECK (profile IN ('STRICT', 'STANDARD', 'OBSERVE_ONLY'))
);

RESET ROLE;
