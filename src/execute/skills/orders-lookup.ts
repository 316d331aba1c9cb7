/** Sample skill of the refund desk: reads one order and its refunds. */
import { z } from 'zod';
import type { Sql } from '../../domain/sql.js';
import { defineSkill } from './skill.js';

export const orderNumber = z.string().regex(/^[A-Z]-\d{1,9}$/, 'must be an order number such as A-1001');

type OrderRow = {
  readonly customer: string;
  readonly item: string;
  readonly quantity: number;
  readonly total_cents: bigint;
  readonly ordered_on: string;
  readonly refunded_cents: bigint;
};

export const ordersLookup = (database: Sql) =>
  defineSkill({
    name: 'orders.lookup',
    version: '1',
    description: 'Looks up one order: customer, item, quantity, total and what was refunded so far, in cents.',
    input: z.strictObject({ order: orderNumber }),
    access: 'read',
    idempotency: 'natural',
    timeoutMs: 5_000,
    maxOutputBytes: 4_096,
    async run({ order }) {
      const [row] = await database.query<OrderRow>(
        `SELECT o.customer, o.item, o.quantity, o.total_cents, o.ordered_on::text AS ordered_on,
                coalesce((SELECT sum(r.amount_cents) FROM shop.refunds r WHERE r.order_id = o.order_id), 0)::bigint AS refunded_cents
         FROM shop.orders o WHERE o.order_id = $1`,
        [order],
      );
      if (row === undefined) return { order, found: false };
      const { customer, item, quantity, total_cents, ordered_on, refunded_cents } = row;
      return {
        order,
        found: true,
        customer,
        item,
        quantity,
        total_cents: Number(total_cents),
        refunded_cents: Number(refunded_cents),
        ordered_on,
      };
    },
  });
