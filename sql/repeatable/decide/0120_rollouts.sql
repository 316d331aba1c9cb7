-- Functions, triggers, views and rights that belong to `migrations/decide/0120_rollouts.sql`.
SET ROLE rok_decide_owner;

-- The deciders publish, for an actor whom the grants let.
GRANT SELECT, INSERT ON decide.rollouts TO rok_decide;
CREATE OR REPLACE TRIGGER append_only BEFORE UPDATE OR DELETE ON decide.rollouts FOR EACH ROW EXECUTE FUNCTION rok.refuse_change();
CREATE OR REPLACE TRIGGER no_truncate BEFORE TRUNCATE ON decide.rollouts FOR EACH STATEMENT EXECUTE FUNCTION rok.refuse_change();

-- A set of at most one, so that it is planned into the statement that asks.
CREATE OR REPLACE FUNCTION decide.policy_set_in_force(p_tenant text) RETURNS SETOF decide.rollouts LANGUAGE sql STABLE AS $$
  SELECT o.* FROM (VALUES (1, p_tenant), (2, '')) AS k (rank, tenant)
  CROSS JOIN LATERAL (SELECT * FROM decide.rollouts o WHERE o.tenant = k.tenant ORDER BY o.rollout_id DESC LIMIT 1) o
  ORDER BY k.rank LIMIT 1
$$;
COMMENT ON FUNCTION decide.policy_set_in_force(text) IS
  'The roll-out of the published set in force for a tenant, if any; asked by the deciders at every step.';
GRANT EXECUTE ON FUNCTION decide.policy_set_in_force(text) TO rok_decide;

CREATE OR REPLACE VIEW decide.v_rollouts AS SELECT * FROM decide.rollouts;
CREATE OR REPLACE VIEW decide.v_policy_sets AS SELECT * FROM decide.policy_sets;
-- Operators compare what is in force with what they have written.
GRANT SELECT ON decide.v_rollouts, decide.v_policy_sets TO rok_read;

RESET ROLE;
