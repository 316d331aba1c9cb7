-- What the acting power says it did, pointing at the row that shows it. The judge opens the row.
SET ROLE rok_audit_owner;

CREATE TABLE audit.acks (
  run_id uuid NOT NULL REFERENCES audit.contracts,
  n integer NOT NULL CHECK (n >= 1),
  domain text NOT NULL CHECK (length(domain) BETWEEN 1 AND 64),
  action text NOT NULL CHECK (action ~ '^[a-z][a-z0-9_]{0,63}$'),
  status text NOT NULL CHECK (status IN ('done', 'failed', 'rolled_back')),
  evidence jsonb NOT NULL CHECK (jsonb_typeof(evidence) = 'object' AND length(evidence::text) <= 4096),
  -- The login that said so.
  by text NOT NULL,
  at timestamptz NOT NULL,
  PRIMARY KEY (run_id, n)
);
GRANT SELECT ON audit.acks TO rok_audit;
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON audit.acks FOR EACH ROW EXECUTE FUNCTION rok.refuse_change();
CREATE TRIGGER no_truncate BEFORE TRUNCATE ON audit.acks FOR EACH STATEMENT EXECUTE FUNCTION rok.refuse_change();

CREATE VIEW audit.v_acks AS SELECT * FROM audit.acks;
GRANT SELECT ON audit.v_acks TO rok_audit, rok_decide, rok_decide_owner, rok_read;

RESET ROLE;
