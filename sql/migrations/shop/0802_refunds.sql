-- SAMPLE DATA for the refund desk: refunds really done by its skill.
SET ROLE rok_execute_owner;

CREATE TABLE shop.refunds (
  refund_id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  -- One per run and step, so that a second try of the same step cannot pay twice.
  idempotency_key text NOT NULL UNIQUE,
  order_id text NOT NULL REFERENCES shop.orders,
  amount_cents bigint NOT NULL CHECK (amount_cents > 0),
  reason text NOT NULL,
  refunded_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE INDEX refunds_of_order ON shop.refunds (order_id);
COMMENT ON TABLE shop.refunds IS 'Sample data.';

RESET ROLE;
