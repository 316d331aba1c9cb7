-- When each recurring work of the audit worker last succeeded, and how far the search for strays has come.
SET ROLE rok_audit_owner;

CREATE TABLE audit.beats (
  name text PRIMARY KEY CHECK (length(name) BETWEEN 1 AND 64),
  at timestamptz NOT NULL,
  -- How far a search has come that does not go by time.
  place text CHECK (length(place) <= 128)
);

RESET ROLE;
