-- What tells whether a start that comes again asks for the same: digests under a secret of the run, so that nobody who reads
-- them can try out inputs. Read by the deciders alone.
SET ROLE rok_decide_owner;

CREATE TABLE decide.requests (
  run_id uuid PRIMARY KEY REFERENCES decide.runs,
  -- NULL: erased; then no start is known to be the same.
  nonce rok.sha256_hex,
  -- By field of the spec, as decide.runs.request_digest is of the whole; NULL where the spec has no canonical form, or erased.
  field_digests jsonb CHECK (length(field_digests::text) <= 4096),
  CHECK (nonce IS NOT NULL OR field_digests IS NULL)
);

RESET ROLE;
