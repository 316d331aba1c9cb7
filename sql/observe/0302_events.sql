-- The trace: what happened, hash-chained per run, bytes stored as they were hashed.
SET ROLE rok_observe_owner;

CREATE TABLE observe.events (
  run_id uuid NOT NULL REFERENCES observe.heads,
  seq rok.event_number NOT NULL,
  -- Deterministic, such as `3.1.decided`: the key under which a retry finds what it wrote.
  event_id rok.short_name NOT NULL,
  kind rok.event_kind NOT NULL,
  bytes rok.event_bytes NOT NULL,
  at timestamptz NOT NULL,
  hash rok.sha256_bytes NOT NULL,
  PRIMARY KEY (run_id, seq),
  UNIQUE (run_id, event_id)
);
-- No login writes here: observe.append_together does, as owner.
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON observe.events FOR EACH ROW EXECUTE FUNCTION rok.refuse_change();
CREATE TRIGGER no_truncate BEFORE TRUNCATE ON observe.events FOR EACH STATEMENT EXECUTE FUNCTION rok.refuse_change();

CREATE VIEW observe.v_events AS SELECT * FROM observe.events;
GRANT SELECT ON observe.v_events TO rok_audit, rok_audit_owner, rok_read;

RESET ROLE;
