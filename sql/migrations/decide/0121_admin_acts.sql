-- What actors did that is of no single run: halts and policies. Every act, allowed or refused.
SET ROLE rok_decide_owner;

CREATE TABLE decide.admin_acts (
  -- Of the workflow that carried it: an assertion names it as its audience, and a second workflow of that id does nothing.
  workflow_id text PRIMARY KEY CHECK (length(workflow_id) BETWEEN 1 AND 1000),
  verb text NOT NULL CHECK (verb IN ('halt.set', 'halt.lift', 'policy.publish')),
  -- The tenant, or `tenant/agent`; empty for all.
  subject text NOT NULL CHECK (length(subject) <= 257),
  -- Of the act with all that it holds: what an assertion for it is bound to.
  action_digest text NOT NULL CHECK (action_digest ~ '^[0-9a-f]{64}$'),
  actor text NOT NULL,
  roles text[] NOT NULL,
  issuer text NOT NULL,
  -- Single use; NULL for a local actor and for what was refused.
  token_id text UNIQUE,
  assertion text,
  allowed boolean NOT NULL,
  code text CHECK (code IN ('actor_refused', 'policy_invalid', 'policy_test_failed')),
  -- Why it was done, or why it was refused.
  reason text NOT NULL CHECK (length(reason) BETWEEN 1 AND 2000),
  -- What it changed: ids of halts, or the digest of the set.
  changed text[] NOT NULL DEFAULT '{}',
  at timestamptz NOT NULL DEFAULT clock_timestamp(),
  CHECK (allowed = (code IS NULL)),
  CHECK (allowed OR (changed = '{}' AND token_id IS NULL))
);

RESET ROLE;
