-- Rights that belong to `migrations/shop/0801_orders.sql`.
SET ROLE rok_execute_owner;

-- The skills run in the execute worker and have its login.
GRANT USAGE ON SCHEMA shop TO rok_execute;
-- For whoever checks what the sample agent did.
GRANT USAGE ON SCHEMA shop TO rok_read;
-- Skills look orders up and never change one.
GRANT SELECT ON shop.orders TO rok_execute, rok_read;

RESET ROLE;
