-- Triggers and rights that belong to `migrations/decide/0105_inputs.sql`.
SET ROLE rok_decide_owner;

GRANT SELECT, INSERT ON decide.policy_sets, decide.price_tables, decide.snapshots TO rok_decide;

CREATE OR REPLACE TRIGGER append_only BEFORE UPDATE OR DELETE ON decide.policy_sets FOR EACH ROW EXECUTE FUNCTION rok.refuse_change();
CREATE OR REPLACE TRIGGER no_truncate BEFORE TRUNCATE ON decide.policy_sets FOR EACH STATEMENT EXECUTE FUNCTION rok.refuse_change();
CREATE OR REPLACE TRIGGER append_only BEFORE UPDATE OR DELETE ON decide.price_tables FOR EACH ROW EXECUTE FUNCTION rok.refuse_change();
CREATE OR REPLACE TRIGGER no_truncate BEFORE TRUNCATE ON decide.price_tables FOR EACH STATEMENT EXECUTE FUNCTION rok.refuse_change();
CREATE OR REPLACE TRIGGER append_only BEFORE UPDATE OR DELETE ON decide.snapshots FOR EACH ROW EXECUTE FUNCTION rok.refuse_change();
CREATE OR REPLACE TRIGGER no_truncate BEFORE TRUNCATE ON decide.snapshots FOR EACH STATEMENT EXECUTE FUNCTION rok.refuse_change();

RESET ROLE;
