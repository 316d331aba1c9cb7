-- What an agent brings to each of its conversations, tools and instructions, as counted by every execute worker that serves
-- it: with it a run's first call is bounded before anything of the run is stored.
SET ROLE rok_execute_owner;

CREATE TABLE execute.preludes (
  agent_digest text NOT NULL CHECK (agent_digest ~ '^[0-9a-f]{64}$'),
  -- An upper bound on the tokens any tokenizer makes of it. Workers with other skills count otherwise: the most holds.
  token_count integer NOT NULL CHECK (token_count >= 0),
  PRIMARY KEY (agent_digest, token_count)
);
GRANT SELECT, INSERT ON execute.preludes TO rok_execute;
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON execute.preludes FOR EACH ROW EXECUTE FUNCTION rok.refuse_change();
CREATE TRIGGER no_truncate BEFORE TRUNCATE ON execute.preludes FOR EACH STATEMENT EXECUTE FUNCTION rok.refuse_change();

CREATE VIEW execute.v_preludes AS
  SELECT agent_digest, max(token_count) AS token_count FROM execute.preludes GROUP BY agent_digest;
GRANT SELECT ON execute.v_preludes TO rok_decide;

RESET ROLE;
