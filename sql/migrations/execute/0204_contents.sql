-- Prompts, answers, arguments and results by digest, under a salt per run. Not evidence: content may be deleted and the
-- trace still verifies; but a digest never changes its bytes.
SET ROLE rok_execute_owner;

CREATE TABLE execute.salts (
  run_id uuid PRIMARY KEY,
  salt bytea NOT NULL CHECK (octet_length(salt) = 32)
);

CREATE TABLE execute.contents (
  run_id uuid NOT NULL,
  digest rok.sha256_hex NOT NULL,
  kind rok.content_kind NOT NULL,
  bytes bytea NOT NULL,
  byte_count integer NOT NULL CHECK (byte_count = octet_length(bytes)),
  -- An upper bound on the tokens any tokenizer makes of it; one per byte, and what a template
  -- puts around a message.
  token_count rok.whole NOT NULL,
  at timestamptz NOT NULL DEFAULT clock_timestamp(),
  PRIMARY KEY (run_id, digest)
);

RESET ROLE;
