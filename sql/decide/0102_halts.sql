-- A halt stops everything in its scope, between decision and call too, in every profile and with a broken policy set.
SET ROLE rok_decide_owner;

CREATE TABLE decide.halts (
  halt_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  scope text NOT NULL CHECK (scope IN ('all', 'tenant', 'agent')),
  -- The tenant, or `tenant/agent`; empty for all.
  subject text NOT NULL CHECK ((scope = 'all') = (subject = '')),
  reason text NOT NULL CHECK (length(reason) BETWEEN 1 AND 1000),
  set_by text NOT NULL,
  set_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  lifted_by text,
  lifted_at timestamptz,
  CHECK ((lifted_by IS NULL) = (lifted_at IS NULL))
);
CREATE INDEX halts_in_force ON decide.halts (scope, subject) WHERE lifted_at IS NULL;
GRANT SELECT, INSERT ON decide.halts TO rok_decide;
-- Lifting names who lifted it; when, the database says.
GRANT UPDATE (lifted_by) ON decide.halts TO rok_decide;

CREATE FUNCTION decide.stamp_lifting() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  NEW.lifted_at := CASE WHEN NEW.lifted_by IS NOT NULL THEN coalesce(OLD.lifted_at, clock_timestamp()) END;
  RETURN NEW;
END $$;
COMMENT ON FUNCTION decide.stamp_lifting() IS 'Trigger of decide.halts; called by nobody.';
CREATE TRIGGER stamp_lifting BEFORE UPDATE ON decide.halts FOR EACH ROW EXECUTE FUNCTION decide.stamp_lifting();

-- A set, so that it is planned into the statement that asks.
CREATE FUNCTION decide.halts_over(p_tenant text, p_agent text) RETURNS SETOF decide.halts LANGUAGE sql STABLE AS $$
  SELECT h.* FROM decide.halts h
  WHERE h.lifted_at IS NULL
    AND (h.scope = 'all'
      OR (h.scope = 'tenant' AND h.subject = p_tenant)
      OR (h.scope = 'agent' AND h.subject = p_tenant || '/' || p_agent))
$$;
COMMENT ON FUNCTION decide.halts_over(text, text) IS 'The halts in force for an agent of a tenant; for the deciders and for redeem.';
GRANT EXECUTE ON FUNCTION decide.halts_over(text, text) TO rok_decide;

CREATE VIEW decide.v_halts AS SELECT * FROM decide.halts;
GRANT SELECT ON decide.v_halts TO rok_read;

RESET ROLE;
