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
-- The deciders publish, for an actor whom the grants let.
GRANT SELECT, INSERT ON decide.rollouts TO rok_decide;
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON decide.rollouts FOR EACH ROW EXECUTE FUNCTION rok.refuse_change();
CREATE TRIGGER no_truncate BEFORE TRUNCATE ON decide.rollouts FOR EACH STATEMENT EXECUTE FUNCTION rok.refuse_change();

-- A set of at most one, so that it is planned into the statement that asks.
CREATE FUNCTION decide.policy_set_in_force(p_tenant text) RETURNS SETOF decide.rollouts LANGUAGE sql STABLE AS $$
  SELECT o.* FROM (VALUES (1, p_tenant), (2, '')) AS k (rank, tenant)
  CROSS JOIN LATERAL (SELECT * FROM decide.rollouts o WHERE o.tenant = k.tenant ORDER BY o.rollout_id DESC LIMIT 1) o
  ORDER BY k.rank LIMIT 1
$$;
COMMENT ON FUNCTION decide.policy_set_in_force(text) IS
  'The roll-out of the published set in force for a tenant, if any; asked by the deciders at every step.';
GRANT EXECUTE ON FUNCTION decide.policy_set_in_force(text) TO rok_decide;

CREATE VIEW decide.v_rollouts AS SELECT * FROM decide.rollouts;
CREATE VIEW decide.v_policy_sets AS SELECT * FROM decide.policy_sets;
-- Operators compare what is in force with what they have written.
GRANT SELECT ON decide.v_rollouts, decide.v_policy_sets TO rok_read;

RESET ROLE;
