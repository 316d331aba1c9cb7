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

RESET ROLE;
