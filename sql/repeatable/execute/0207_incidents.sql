-- Triggers, views and rights that belong to `migrations/execute/0207_incidents.sql`.
SET ROLE rok_execute_owner;

GRANT SELECT, INSERT ON execute.incidents TO rok_execute;
GRANT SELECT, INSERT ON execute.incident_occurrences TO rok_execute;

CREATE OR REPLACE TRIGGER append_only BEFORE UPDATE OR DELETE ON execute.incident_occurrences
  FOR EACH ROW EXECUTE FUNCTION rok.refuse_change();
CREATE OR REPLACE TRIGGER no_truncate BEFORE TRUNCATE ON execute.incident_occurrences
  FOR EACH STATEMENT EXECUTE FUNCTION rok.refuse_change();

CREATE OR REPLACE VIEW execute.v_incident_occurrences AS
  SELECT o.run_id, o.incident_id, i.tenant, i.agent, i.fingerprint, i.day, o.outcome, o.step, o.detail, o.context, o.at
  FROM execute.incident_occurrences o JOIN execute.incidents i USING (incident_id);
GRANT SELECT ON execute.v_incident_occurrences TO rok_audit, rok_audit_owner, rok_read;

RESET ROLE;
