-- Columns of which each value has to be like something. As domains and not as CHECKs of the tables: PostgreSQL reads a table's
-- CHECKs anew from their text for every statement that writes a row, a domain's once in a session; and an UPDATE asks a domain
-- only for what it sets. What holds between columns is a CHECK.
SET ROLE rok_owner;

-- SHA-256 in hexadecimal. By length and characters apart: counting to 64 in the expression is ten times the work.
CREATE DOMAIN rok.sha256_hex AS text CHECK (octet_length(VALUE) = 64 AND VALUE ~ '^[0-9a-f]+$');
CREATE DOMAIN rok.sha256_bytes AS bytea CHECK (octet_length(VALUE) = 32);
CREATE DOMAIN rok.amount AS bigint CHECK (VALUE >= 0);
CREATE DOMAIN rok.whole AS integer CHECK (VALUE >= 0);
CREATE DOMAIN rok.ordinal AS integer CHECK (VALUE >= 1);
CREATE DOMAIN rok.short_name AS text CHECK (length(VALUE) BETWEEN 1 AND 128);
CREATE DOMAIN rok.text_64 AS text CHECK (char_length(VALUE) <= 64);
CREATE DOMAIN rok.text_200 AS text CHECK (char_length(VALUE) <= 200);

CREATE DOMAIN rok.profile AS text CHECK (VALUE IN ('STRICT', 'STANDARD', 'OBSERVE_ONLY'));
CREATE DOMAIN rok.phase AS text
  CHECK (VALUE IN ('CREATED', 'AUTHORIZED', 'EXECUTING', 'FINALIZING', 'COMPLETED', 'FAILED'));
CREATE DOMAIN rok.outcome AS text CHECK (VALUE IN
  ('succeeded', 'denied', 'failed', 'policy_stopped', 'budget_stopped', 'cancelled', 'killed', 'expired', 'forced'));
CREATE DOMAIN rok.intent_kind AS text CHECK (VALUE IN
  ('run.start', 'model.call', 'skill.call', 'agent.delegate', 'run.outcome', 'run.repair', 'run.cancel'));
CREATE DOMAIN rok.effect AS text CHECK (VALUE IN ('allow', 'deny', 'pause'));
CREATE DOMAIN rok.access AS text CHECK (VALUE IN ('read', 'write'));
CREATE DOMAIN rok.reservation_state AS text CHECK (VALUE IN ('issued', 'redeemed', 'settled', 'released', 'forfeited'));
CREATE DOMAIN rok.journal_op AS text CHECK (VALUE IN ('open', 'cap', 'reserve', 'settle', 'release', 'forfeit'));
CREATE DOMAIN rok.result_status AS text CHECK (VALUE IN ('succeeded', 'failed', 'unknown'));
CREATE DOMAIN rok.content_kind AS text
  CHECK (VALUE IN ('tools', 'system', 'user', 'assistant', 'arguments', 'output', 'told', 'malformed'));
CREATE DOMAIN rok.event_number AS bigint CHECK (VALUE >= 1);
CREATE DOMAIN rok.event_kind AS text CHECK (VALUE ~ '^[a-z]+[.][a-z_]+$' AND length(VALUE) <= 64);
CREATE DOMAIN rok.event_bytes AS bytea CHECK (octet_length(VALUE) BETWEEN 2 AND 65536);

RESET ROLE;
