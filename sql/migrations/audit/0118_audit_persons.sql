-- Who is one person, as the audit derives it from stored assertions with its own key set and its own groups of issuers. A
-- register of its own: the deciders' column may say what it likes, quorum and four eyes are judged from this one.
SET ROLE rok_audit_owner;

CREATE TABLE audit.persons (
  person uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  tenant rok.short_name NOT NULL,
  issuer text NOT NULL CHECK (length(issuer) BETWEEN 1 AND 512),
  -- Exactly as signed; folded for a local name. NULL: erased.
  subject text CHECK (length(subject) <= 256),
  folded text CHECK (length(folded) <= 8192),
  since timestamptz NOT NULL DEFAULT clock_timestamp(),
  CONSTRAINT known_by_subject UNIQUE (tenant, issuer, subject),
  CHECK ((subject IS NULL) = (folded IS NULL))
);

RESET ROLE;
