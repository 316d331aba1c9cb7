-- Public keys that ever signed receipts, retired ones included: so that an export can carry them, for convenience. Whom to
-- trust is never read from here: a verifier takes that from outside.
SET ROLE rok_audit_owner;

CREATE TABLE audit.keys (
  kid text PRIMARY KEY CHECK (length(kid) BETWEEN 1 AND 256),
  -- A public Ed25519 JWK: anything private in it would be read by everybody.
  jwk jsonb NOT NULL CHECK (jwk ? 'x' AND NOT jwk ? 'd' AND jwk ->> 'kid' = kid),
  since timestamptz NOT NULL DEFAULT clock_timestamp()
);

RESET ROLE;
