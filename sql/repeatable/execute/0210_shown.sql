-- What a reader may see of the contents: what waits to be approved, and what the run answered. Never prompts, nor what
-- skills returned on the way. Bytes, because a text that is not UTF-8 must not fail the statement that shows a hold.
SET ROLE rok_execute_owner;

CREATE OR REPLACE VIEW execute.v_shown AS
  SELECT c.run_id, c.digest, c.kind, c.byte_count, substring(c.bytes FOR 65536) AS bytes
  FROM execute.contents c
  WHERE c.kind = 'arguments'
    OR EXISTS (SELECT FROM decide.v_runs r WHERE r.run_id = c.run_id AND r.answer = c.digest);
-- Salts stay with execute: a reader compares no text with a digest, it is shown both.
GRANT SELECT ON execute.v_shown TO rok_audit_owner, rok_read;

RESET ROLE;
