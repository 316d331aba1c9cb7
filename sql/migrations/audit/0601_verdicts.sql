-- What the judge found, revision by revision. A verdict only worsens, and nobody but the judge writes one.
SET ROLE rok_audit_owner;

CREATE TABLE audit.verdicts (
  -- A run, or the id audit gave a stray, which has no contract: so no foreign key.
  run_id uuid NOT NULL,
  revision integer NOT NULL CHECK (revision >= 1),
  status text NOT NULL CHECK (status IN ('COMPLETE', 'INCOMPLETE', 'STALE')),
  -- [{code, blocking, subject, detail}], sorted.
  findings jsonb NOT NULL CHECK (jsonb_typeof(findings) = 'array'),
  -- What was counted at that moment, for the receipt: phase, trace head, decisions, attempts, spend.
  facts jsonb NOT NULL CHECK (jsonb_typeof(facts) = 'object'),
  judged_at timestamptz NOT NULL,
  PRIMARY KEY (run_id, revision)
);

-- Which verdicts have no receipt yet: kept as a list, so that a sweep need not look at all that were ever signed.
CREATE TABLE audit.unsigned (
  run_id uuid NOT NULL,
  revision integer NOT NULL,
  PRIMARY KEY (run_id, revision),
  FOREIGN KEY (run_id, revision) REFERENCES audit.verdicts
);

RESET ROLE;
