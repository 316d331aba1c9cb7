-- What decisions depended on, stored once by digest: policy sets, price tables, snapshots.
SET ROLE rok_decide_owner;

CREATE TABLE decide.policy_sets (
  digest rok.sha256_hex PRIMARY KEY,
  body text NOT NULL,
  author text NOT NULL,
  reason text NOT NULL,
  published_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE TABLE decide.price_tables (
  digest rok.sha256_hex PRIMARY KEY,
  body text NOT NULL,
  stored_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE TABLE decide.snapshots (
  run_id uuid NOT NULL REFERENCES decide.runs,
  digest rok.sha256_hex NOT NULL,
  -- Canonical JSON, as hashed.
  body text NOT NULL,
  PRIMARY KEY (run_id, digest)
);
GRANT SELECT, INSERT ON decide.policy_sets, decide.price_tables, decide.snapshots TO rok_decide;

CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON decide.policy_sets FOR EACH ROW EXECUTE FUNCTION rok.refuse_change();
CREATE TRIGGER no_truncate BEFORE TRUNCATE ON decide.policy_sets FOR EACH STATEMENT EXECUTE FUNCTION rok.refuse_change();
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON decide.price_tables FOR EACH ROW EXECUTE FUNCTION rok.refuse_change();
CREATE TRIGGER no_truncate BEFORE TRUNCATE ON decide.price_tables FOR EACH STATEMENT EXECUTE FUNCTION rok.refuse_change();
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON decide.snapshots FOR EACH ROW EXECUTE FUNCTION rok.refuse_change();
CREATE TRIGGER no_truncate BEFORE TRUNCATE ON decide.snapshots FOR EACH STATEMENT EXECUTE FUNCTION rok.refuse_change();

RESET ROLE;
