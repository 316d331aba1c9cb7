-- What persons wrote or are named by, as a receipt covers it: by a digest under a salt of its own. Taken when the run is first
-- signed, and never again; so names and reasons may be erased later, with their salt, and every receipt still verifies.
SET ROLE rok_audit_owner;

CREATE TABLE audit.content_digests (
  run_id uuid NOT NULL,
  -- The record that it belongs to: its kind in a bundle, and what names it among those of the run.
  kind text NOT NULL CHECK (kind IN ('runs', 'acts', 'holds', 'incidents')),
  key text NOT NULL CHECK (length(key) <= 1000),
  -- Erased together with what it salts: without it nobody can guess a short text from its digest.
  salt text CHECK (salt ~ '^[0-9a-f]{64}$'),
  digest text NOT NULL CHECK (digest ~ '^[0-9a-f]{64}$'),
  PRIMARY KEY (run_id, kind, key)
);

RESET ROLE;
