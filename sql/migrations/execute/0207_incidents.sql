-- IncidentEngine's records: one incident per kind of failure and day, one occurrence per failed run. The occurrence is the
-- evidence of the ack incidents/create_incident.
SET ROLE rok_execute_owner;

CREATE TABLE execute.incidents (
  incident_id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  tenant text NOT NULL,
  fingerprint text NOT NULL CHECK (fingerprint ~ '^[0-9a-f]{64}$'),
  day date NOT NULL DEFAULT (clock_timestamp() AT TIME ZONE 'UTC')::date,
  agent text NOT NULL,
  opened_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  UNIQUE (tenant, fingerprint, day)
);

CREATE TABLE execute.incident_occurrences (
  run_id uuid PRIMARY KEY,
  incident_id uuid NOT NULL REFERENCES execute.incidents,
  outcome text NOT NULL,
  step integer NOT NULL,
  detail text NOT NULL CHECK (char_length(detail) <= 1000),
  context jsonb NOT NULL,
  at timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE INDEX occurrences_of_incident ON execute.incident_occurrences (incident_id);

RESET ROLE;
