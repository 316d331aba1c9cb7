-- Rights that belong to `migrations/audit/0615_contract_first.sql`.
SET ROLE rok_audit_owner;

-- For the foreign key.
GRANT REFERENCES (run_id) ON audit.contracts TO rok_decide_owner;

RESET ROLE;
