-- SAMPLE DATA for the refund desk: a made-up wholesale shop, so that its skills work on real tables. No part of ROK.
CREATE SCHEMA shop AUTHORIZATION rok_execute_owner;
SET ROLE rok_execute_owner;

COMMENT ON SCHEMA shop IS 'Sample data: the tables that the refund-desk agent works on.';

CREATE TABLE shop.orders (
  order_id text PRIMARY KEY,
  customer text NOT NULL,
  item text NOT NULL,
  quantity integer NOT NULL CHECK (quantity > 0),
  total_cents bigint NOT NULL CHECK (total_cents >= 0),
  ordered_on date NOT NULL
);
COMMENT ON TABLE shop.orders IS 'Sample data.';

INSERT INTO shop.orders (order_id, customer, item, quantity, total_cents, ordered_on) VALUES
  ('A-1001', 'Sample Cafe Chain', 'stoneware mug', 5000, 6000000, '2026-01-12'),
  ('A-1002', 'Sample Offices', 'standing desk', 400, 19600000, '2026-01-20'),
  ('A-1003', 'Sample Hotels', 'coffee machine', 120, 30000000, '2026-02-03');

RESET ROLE;
