-- How long the texts may be that a run accumulates of persons: what no door lets in no login writes either. Each is more than
-- any code of ROK makes, which cuts or refuses before.
SET ROLE rok_decide_owner;

ALTER TABLE decide.acts ADD CONSTRAINT acts_texts_bounded CHECK (
  length(actor) <= 1000 AND length(issuer) <= 8192 AND length(token_id) <= 256 AND length(assertion) <= 8192
  AND length(action_digest) <= 64 AND cardinality(roles) <= 64 AND length(roles::text) <= 40000);
ALTER TABLE decide.holds ADD CONSTRAINT holds_texts_bounded CHECK (
  length(reason) <= 64 AND length(authority) <= 256 AND length(opened_by) <= 1000 AND length(action_digest) <= 64);

RESET ROLE;
