-- No run without a contract: nothing that nobody promised anything of can be decided, warranted or executed.
SET ROLE rok_audit_owner;

-- For the foreign key.
GRANT REFERENCES (run_id) ON audit.contracts TO rok_decide_owner;

RESET ROLE;
SET ROLE rok_decide_owner;

ALTER TABLE decide.runs ADD CONSTRAINT runs_are_under_contract FOREIGN KEY (run_id) REFERENCES audit.contracts (run_id);

RESET ROLE;
