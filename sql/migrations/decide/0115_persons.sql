-- Who is one person, as the deciders count them: for quorum, one voice, and four eyes. What an act stores is the id; the name
-- can be erased, and the id stays.
SET ROLE rok_decide_owner;

CREATE TABLE decide.persons (
  person uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  tenant rok.short_name NOT NULL,
  -- A configured issuer, a group of them, `*` where none is configured, or `local`.
  issuer text NOT NULL CHECK (length(issuer) BETWEEN 1 AND 512),
  -- Exactly as signed; folded for a local name. NULL: erased.
  subject text CHECK (length(subject) <= 256),
  -- What a local name that means the same person folds to (src/domain/person.ts).
  folded text CHECK (length(folded) <= 8192),
  -- As it was first given.
  display_name text CHECK (length(display_name) <= 512),
  since timestamptz NOT NULL DEFAULT clock_timestamp(),
  CONSTRAINT known_by_subject UNIQUE (tenant, issuer, subject),
  CHECK ((subject IS NULL) = (folded IS NULL) AND (subject IS NOT NULL OR display_name IS NULL))
);

ALTER TABLE decide.runs ADD FOREIGN KEY (requester) REFERENCES decide.persons;
ALTER TABLE decide.acts ADD FOREIGN KEY (person) REFERENCES decide.persons;

RESET ROLE;
