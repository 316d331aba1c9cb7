-- Functions, triggers, views and rights that belong to `migrations/decide/0102_halts.sql`.
SET ROLE rok_decide_owner;

GRANT SELECT, INSERT ON decide.halts TO rok_decide;
-- Lifting names who lifted it; when, the database says.
GRANT UPDATE (lifted_by) ON decide.halts TO rok_decide;

CREATE OR REPLACE FUNCTION decide.stamp_lifting() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  NEW.lifted_at := CASE WHEN NEW.lifted_by IS NOT NULL THEN coalesce(OLD.lifted_at, clock_timestamp()) END;
  RETURN NEW;
END $$;
COMMENT ON FUNCTION decide.stamp_lifting() IS 'Trigger of decide.halts; called by nobody.';
CREATE OR REPLACE TRIGGER stamp_lifting BEFORE UPDATE ON decide.halts FOR EACH ROW EXECUTE FUNCTION decide.stamp_lifting();

-- A set, so that it is planned into the statement that asks.
CREATE OR REPLACE FUNCTION decide.halts_over(p_tenant text, p_agent text) RETURNS SETOF decide.halts LANGUAGE sql STABLE AS $$
  SELECT h.* FROM decide.halts h
  WHERE h.lifted_at IS NULL
    AND (h.scope = 'all'
      OR (h.scope = 'tenant' AND h.subject = p_tenant)
      OR (h.scope = 'agent' AND h.subject = p_tenant || '/' || p_agent))
$$;
COMMENT ON FUNCTION decide.halts_over(text, text) IS 'The halts in force for an agent of a tenant; for the deciders and for redeem.';
GRANT EXECUTE ON FUNCTION decide.halts_over(text, text) TO rok_decide;

CREATE OR REPLACE VIEW decide.v_halts AS SELECT * FROM decide.halts;
GRANT SELECT ON decide.v_halts TO rok_read;

RESET ROLE;
