-- What an agent brings to each of its conversations, tools and instructions, as counted by every execute worker that serves
-- it: with it a run's first call is bounded before anything of the run is stored.
SET ROLE rok_execute_owner;

CREATE TABLE execute.preludes (
  agent_digest text NOT NULL CHECK (agent_digest ~ '^[0-9a-f]{64}$'),
  -- An upper bound on the tokens any tokenizer makes of it. Workers with other skills count otherwise: the most holds.
  token_count integer NOT NULL CHECK (token_count >= 0),
  PRIMARY KEY (agent_digest, token_count)
);

RESET ROLE;
