-- Triggers, views and rights that belong to `migrations/execute/0208_preludes.sql`.
SET ROLE rok_execute_owner;

GRANT SELECT, INSERT ON execute.preludes TO rok_execute;
CREATE OR REPLACE TRIGGER append_only BEFORE UPDATE OR DELETE ON execute.preludes FOR EACH ROW EXECUTE FUNCTION rok.refuse_change();
CREATE OR REPLACE TRIGGER no_truncate BEFORE TRUNCATE ON execute.preludes FOR EACH STATEMENT EXECUTE FUNCTION rok.refuse_change();

CREATE OR REPLACE VIEW execute.v_preludes AS
  SELECT agent_digest, max(token_count) AS token_count FROM execute.preludes GROUP BY agent_digest;
GRANT SELECT ON execute.v_preludes TO rok_decide;

RESET ROLE;
