-- One row per run: its lifecycle and its identity. Every decide.* transaction locks it first.
SET ROLE rok_decide_owner;

CREATE TABLE decide.runs (
  run_id uuid PRIMARY KEY,
  tenant rok.short_name NOT NULL,
  agent rok.short_name NOT NULL,
  -- The caller's idempotency key.
  caller_id rok.short_name,
  workflow_id text NOT NULL UNIQUE CHECK (length(workflow_id) BETWEEN 1 AND 1000),
  -- The one Temporal execution that may act for this run; moved by continue-as-new and repair only.
  temporal_run_id text NOT NULL,
  -- What it is the history of: ROK's own run of an agent, or somebody's own workflow. From Temporal, never from the spec.
  kind text NOT NULL DEFAULT 'governedRun' CHECK (kind IN ('governedRun', 'own')),
  phase rok.phase NOT NULL,
  outcome rok.outcome,
  profile rok.profile NOT NULL,
  spec_digest text NOT NULL,
  -- Of the spec without its assertion but with the person, under the run's secret (decide.requests); NULL: it has no canonical form.
  request_digest rok.sha256_hex,
  agent_digest text,
  actor jsonb NOT NULL,
  -- In decide.persons; NULL where nobody was verified.
  requester uuid,
  labels jsonb NOT NULL DEFAULT '{}',
  limits jsonb NOT NULL,
  -- Steps, model calls, skill calls, successes, denials so far; kept here so that a step's cost does not grow.
  counters jsonb NOT NULL DEFAULT '{}',
  contract_digest text NOT NULL,
  run_deadline timestamptz NOT NULL,
  last_step rok.whole NOT NULL DEFAULT 0,
  detail text CHECK (length(detail) <= 2000),
  -- Digest of the final answer's content, as the body gave it back: whatever an own workflow said, the judge says whether
  -- it is one. Set with the outcome and never after.
  answer text CHECK (length(answer) <= 128),
  opened_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  latched_at timestamptz,
  ended_at timestamptz,
  UNIQUE (tenant, caller_id),
  -- IS NOT DISTINCT FROM, because a NULL outcome would make a plain comparison unknown, and unknown passes a CHECK.
  CONSTRAINT phase_fits_outcome CHECK (
    CASE phase
      WHEN 'COMPLETED' THEN outcome IS NOT DISTINCT FROM 'succeeded'
      WHEN 'FAILED' THEN outcome IS NOT NULL AND outcome IS DISTINCT FROM 'succeeded'
      WHEN 'FINALIZING' THEN outcome IS NOT NULL
      ELSE outcome IS NULL
    END),
  CONSTRAINT ended_fits_phase CHECK ((ended_at IS NOT NULL) = (phase IN ('COMPLETED', 'FAILED')))
-- Each step moves its counters: there is room for the next version beside it, so that no index has to hear of it.
) WITH (fillfactor = 70);
CREATE INDEX runs_open ON decide.runs (opened_at) WHERE phase NOT IN ('COMPLETED', 'FAILED');
CREATE INDEX runs_by_tenant ON decide.runs (tenant, opened_at DESC);

RESET ROLE;
