-- Which published set is in force for whom. A tenant without a rollout of its own has that of all tenants, and where there is
-- none the set that the control worker was deployed with. Written with the act that published it (0121_admin_acts.sql).
SET ROLE rok_decide_owner;

CREATE TABLE decide.rollouts (
  rollout_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  -- Empty: all tenants that have none of their own.
  tenant text NOT NULL CHECK (length(tenant) <= 128),
  digest text NOT NULL REFERENCES decide.policy_sets,
  author text NOT NULL CHECK (length(author) BETWEEN 1 AND 256),
  reason text NOT NULL CHECK (length(reason) BETWEEN 1 AND 2000),
  at timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE INDEX rollouts_latest ON decide.rollouts (tenant, rollout_id DESC);

RESET ROLE;
