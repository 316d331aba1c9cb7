-- Triggers and rights that belong to `migrations/decide/0127_openings.sql`.
SET ROLE rok_decide_owner;

GRANT SELECT, INSERT ON decide.openings TO rok_decide;
CREATE OR REPLACE TRIGGER append_only BEFORE UPDATE OR DELETE ON decide.openings FOR EACH ROW EXECUTE FUNCTION rok.refuse_change();
CREATE OR REPLACE TRIGGER no_truncate BEFORE TRUNCATE ON decide.openings FOR EACH STATEMENT EXECUTE FUNCTION rok.refuse_change();

RESET ROLE;
