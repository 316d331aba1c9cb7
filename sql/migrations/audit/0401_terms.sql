-- How long a run may take, how long its close may take, and when it ends whatever anyone says. `*` is any; the most
-- specific row wins, the tenant before the agent.
SET ROLE rok_audit_owner;

CREATE TABLE audit.terms (
  tenant text NOT NULL CHECK (length(tenant) BETWEEN 1 AND 128),
  agent text NOT NULL CHECK (length(agent) BETWEEN 1 AND 128),
  run_time interval NOT NULL CHECK (run_time > interval '0'),
  grace interval NOT NULL CHECK (grace > interval '0'),
  max_life interval NOT NULL CHECK (max_life >= run_time + grace),
  PRIMARY KEY (tenant, agent)
);
INSERT INTO audit.terms VALUES ('*', '*', '1 hour', '60 seconds', '7 days');
-- Written by an administrator as owner: the deciders, whom the contract binds, may not set its terms.

RESET ROLE;
