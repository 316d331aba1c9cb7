-- Functions, triggers, views and rights that belong to `migrations/decide/0110_refusals.sql`.
SET ROLE rok_decide_owner;

GRANT SELECT, INSERT ON decide.refusals TO rok_decide;
GRANT UPDATE (times, last_update_id, last_reason) ON decide.refusals TO rok_decide;

-- When it was asked first and last the database says.
CREATE OR REPLACE FUNCTION decide.stamp_refusal() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  NEW.last_at := CASE TG_OP WHEN 'INSERT' THEN NEW.first_at ELSE clock_timestamp() END;
  RETURN NEW;
END $$;
COMMENT ON FUNCTION decide.stamp_refusal() IS 'Trigger of decide.refusals; called by nobody.';
CREATE OR REPLACE TRIGGER stamp_refusal BEFORE INSERT OR UPDATE ON decide.refusals FOR EACH ROW EXECUTE FUNCTION decide.stamp_refusal();

CREATE OR REPLACE VIEW decide.v_refusals AS SELECT * FROM decide.refusals;
-- Audit's owner shows an auditor what its own tenant's runs refused.
GRANT SELECT ON decide.v_refusals TO rok_audit_owner, rok_read;

RESET ROLE;
