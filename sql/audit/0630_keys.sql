-- Public keys that ever signed receipts, retired ones included: so that an export can carry them, for convenience. Whom to
-- trust is never read from here: a verifier takes that from outside.
SET ROLE rok_audit_owner;

CREATE TABLE audit.keys (
  kid text PRIMARY KEY CHECK (length(kid) BETWEEN 1 AND 256),
  -- A public Ed25519 JWK: anything private in it would be read by everybody.
  jwk jsonb NOT NULL CHECK (jwk ? 'x' AND NOT jwk ? 'd' AND jwk ->> 'kid' = kid),
  since timestamptz NOT NULL DEFAULT clock_timestamp()
);
-- The audit worker enters its own at the start.
GRANT SELECT, INSERT ON audit.keys TO rok_audit;
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON audit.keys FOR EACH ROW EXECUTE FUNCTION rok.refuse_change();
CREATE TRIGGER no_truncate BEFORE TRUNCATE ON audit.keys FOR EACH STATEMENT EXECUTE FUNCTION rok.refuse_change();

CREATE VIEW audit.v_keys AS SELECT * FROM audit.keys;
GRANT SELECT ON audit.v_keys TO rok_audit, rok_read;

-- Heads of the chains: for whoever writes them outside, and for whoever holds an outside copy against them.
CREATE VIEW audit.v_receipt_heads AS SELECT * FROM audit.receipt_heads;
GRANT SELECT ON audit.v_receipt_heads TO rok_read;

RESET ROLE;
