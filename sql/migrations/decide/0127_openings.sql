-- The first context of a run, named by what the deciders committed to: written with the run, and once.
SET ROLE rok_decide_owner;

CREATE TABLE decide.openings (
  run_id uuid PRIMARY KEY REFERENCES decide.runs,
  digest text NOT NULL CHECK (digest ~ '^[0-9a-f]{64}$'),
  -- Read by nobody else: with the nonce, a short input could be guessed from the digest.
  nonce text NOT NULL CHECK (nonce ~ '^[0-9a-f]{64}$'),
  -- Upper bound on the input of the first call.
  token_count integer NOT NULL CHECK (token_count >= 0)
);

RESET ROLE;
