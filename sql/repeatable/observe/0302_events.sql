-- Triggers, views and rights that belong to `migrations/observe/0302_events.sql`.
SET ROLE rok_observe_owner;

-- No login writes here: observe.append_together does, as owner.
CREATE OR REPLACE TRIGGER append_only BEFORE UPDATE OR DELETE ON observe.events FOR EACH ROW EXECUTE FUNCTION rok.refuse_change();
CREATE OR REPLACE TRIGGER no_truncate BEFORE TRUNCATE ON observe.events FOR EACH STATEMENT EXECUTE FUNCTION rok.refuse_change();

CREATE OR REPLACE VIEW observe.v_events AS SELECT * FROM observe.events;
GRANT SELECT ON observe.v_events TO rok_audit, rok_audit_owner, rok_read;

RESET ROLE;
