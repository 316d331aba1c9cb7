-- Triggers, views and rights that belong to `migrations/execute/0204_contents.sql`.
SET ROLE rok_execute_owner;

-- Read by nobody else: with the salt, short texts could be guessed from their digests.
GRANT SELECT, INSERT ON execute.salts TO rok_execute;
GRANT SELECT, INSERT ON execute.contents TO rok_execute;

CREATE OR REPLACE TRIGGER never_rewritten BEFORE UPDATE ON execute.salts FOR EACH ROW EXECUTE FUNCTION rok.refuse_change();
CREATE OR REPLACE TRIGGER never_rewritten BEFORE UPDATE ON execute.contents FOR EACH ROW EXECUTE FUNCTION rok.refuse_change();

CREATE OR REPLACE VIEW execute.v_contents AS
  SELECT run_id, digest, kind, byte_count, token_count FROM execute.contents;
-- Decide bounds a call's input by counts, and its policies read skill arguments; never prompts or answers.
CREATE OR REPLACE VIEW execute.v_arguments AS
  SELECT run_id, digest, convert_from(bytes, 'UTF8') AS arguments FROM execute.contents WHERE kind = 'arguments';
GRANT SELECT ON execute.v_contents, execute.v_arguments TO rok_decide;

RESET ROLE;
