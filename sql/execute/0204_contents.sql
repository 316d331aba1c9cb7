-- Prompts, answers, arguments and results by digest, under a salt per run. Not evidence: content may be deleted and the
-- trace still verifies; but a digest never changes its bytes.
SET ROLE rok_execute_owner;

CREATE TABLE execute.salts (
  run_id uuid PRIMARY KEY,
  salt bytea NOT NULL CHECK (octet_length(salt) = 32)
);
-- Read by nobody else: with the salt, short texts could be guessed from their digests.
GRANT SELECT, INSERT ON execute.salts TO rok_execute;

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
GRANT SELECT, INSERT ON execute.contents TO rok_execute;

CREATE TRIGGER never_rewritten BEFORE UPDATE ON execute.salts FOR EACH ROW EXECUTE FUNCTION rok.refuse_change();
CREATE TRIGGER never_rewritten BEFORE UPDATE ON execute.contents FOR EACH ROW EXECUTE FUNCTION rok.refuse_change();

CREATE VIEW execute.v_contents AS
  SELECT run_id, digest, kind, byte_count, token_count FROM execute.contents;
-- Decide bounds a call's input by counts, and its policies read skill arguments; never prompts or answers.
CREATE VIEW execute.v_arguments AS
  SELECT run_id, digest, convert_from(bytes, 'UTF8') AS arguments FROM execute.contents WHERE kind = 'arguments';
GRANT SELECT ON execute.v_contents, execute.v_arguments TO rok_decide;

RESET ROLE;
