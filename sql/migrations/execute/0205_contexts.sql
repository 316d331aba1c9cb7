-- Conversations as chains: what was added to which base, with counts over the whole chain.
SET ROLE rok_execute_owner;

CREATE TABLE execute.contexts (
  run_id uuid NOT NULL,
  digest rok.sha256_hex NOT NULL,
  base text,
  -- The run's first, named by what the deciders committed to instead of by its entries.
  opening boolean NOT NULL DEFAULT false CHECK (NOT opening OR base IS NULL),
  added jsonb NOT NULL CHECK (jsonb_typeof(added) = 'array' AND added <> '[]'),
  byte_count rok.amount NOT NULL,
  token_count rok.amount NOT NULL,
  PRIMARY KEY (run_id, digest),
  FOREIGN KEY (run_id, base) REFERENCES execute.contexts (run_id, digest)
);

RESET ROLE;
