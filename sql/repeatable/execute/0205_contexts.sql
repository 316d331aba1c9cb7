-- Triggers, views and rights that belong to `migrations/execute/0205_contexts.sql`.
SET ROLE rok_execute_owner;

GRANT SELECT, INSERT ON execute.contexts TO rok_execute;

CREATE OR REPLACE TRIGGER never_rewritten BEFORE UPDATE ON execute.contexts FOR EACH ROW EXECUTE FUNCTION rok.refuse_change();

CREATE OR REPLACE VIEW execute.v_contexts AS SELECT run_id, digest, base, byte_count, token_count FROM execute.contexts;
-- Decide bounds a call's input by these counts.
GRANT SELECT ON execute.v_contexts TO rok_decide;

RESET ROLE;
