-- What the audit worker verified by itself, as rows that the judge reads: signatures of approvals, hashes of traces.
SET ROLE rok_audit_owner;

CREATE TABLE audit.approval_checks (
  run_id uuid NOT NULL,
  update_id text NOT NULL,
  -- Who it was, derived by the audit from the assertion as stored, or from the local name; NULL where that cannot be said.
  person uuid REFERENCES audit.persons,
  ok boolean NOT NULL,
  detail text NOT NULL CHECK (length(detail) <= 500),
  checked_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  PRIMARY KEY (run_id, update_id)
);
CREATE TABLE audit.trace_checks (
  run_id uuid NOT NULL,
  checked_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  ok boolean NOT NULL,
  -- The first event that does not follow; NULL when all do.
  broken_seq bigint,
  detail text NOT NULL CHECK (length(detail) <= 500),
  PRIMARY KEY (run_id, checked_at)
);
CREATE INDEX trace_checks_broken ON audit.trace_checks (run_id) WHERE NOT ok;
-- Rows and columns that are not what the receipt covers any more: the first that the sample found of a run.
CREATE TABLE audit.altered (
  run_id uuid PRIMARY KEY,
  -- Of the receipt.
  revision integer NOT NULL CHECK (revision >= 1),
  -- In the words of `rok verify`: `hold 1`.
  what text NOT NULL CHECK (length(what) BETWEEN 1 AND 300),
  detail text NOT NULL CHECK (length(detail) <= 500),
  found_at timestamptz NOT NULL DEFAULT clock_timestamp()
);

RESET ROLE;
