-- Functions, triggers and rights that belong to `migrations/shop/0802_refunds.sql`.
SET ROLE rok_execute_owner;

-- The skill adds refunds and reads what was refunded; it can neither change nor remove one.
GRANT SELECT, INSERT ON shop.refunds TO rok_execute;
GRANT SELECT ON shop.refunds TO rok_read;

-- Definer, because it locks the order row, which rok_execute may only read. Called by the trigger alone.
CREATE OR REPLACE FUNCTION shop.refuse_over_refund() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = shop, pg_temp AS $$
DECLARE
  total bigint;
  refunded bigint;
BEGIN
  SELECT o.total_cents INTO total FROM shop.orders o WHERE o.order_id = NEW.order_id FOR NO KEY UPDATE;
  -- Already paid under this key: the insert changes nothing (ON CONFLICT), so there is nothing to refuse.
  IF EXISTS (SELECT FROM shop.refunds r WHERE r.idempotency_key = NEW.idempotency_key) THEN RETURN NEW; END IF;
  SELECT coalesce(sum(r.amount_cents), 0) INTO refunded FROM shop.refunds r WHERE r.order_id = NEW.order_id;
  IF refunded + NEW.amount_cents > total THEN
    RAISE EXCEPTION 'refunds of order % would exceed its total', NEW.order_id
      USING ERRCODE = 'check_violation', CONSTRAINT = 'refunds_within_total';
  END IF;
  RETURN NEW;
END $$;
COMMENT ON FUNCTION shop.refuse_over_refund() IS 'Trigger of shop.refunds; called by nobody.';
CREATE OR REPLACE TRIGGER within_total BEFORE INSERT ON shop.refunds FOR EACH ROW EXECUTE FUNCTION shop.refuse_over_refund();

RESET ROLE;
