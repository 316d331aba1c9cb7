/**
 * Sample skill of the refund desk: refunds a part of an order. Idempotent: a second attempt of the same step finds the
 * first one's refund and pays nothing. The table, not this module, prevents refunds above the order's total.
 */
import { z } from 'zod';
import type { Json } from '../../domain/json.js';
import type { Sql } from '../../domain/sql.js';
import { orderNumber } from './orders-lookup.js';
import { defineSkill } from './skill.js';

const MAX_CENTS = 1_000_000_000;
const FOREIGN_KEY_VIOLATION = '23503';
const CHECK_VIOLATION = '23514';

type RefundRow = { readonly refund_id: string; readonly order_id: string; readonly amount_cents: bigint };

export const ordersRefund = (database: Sql) =>
  defineSkill({
    name: 'orders.refund',
    version: '1',
    description: 'Refunds an amount in cents of one order to its customer. Say why in `reason`.',
    input: z.strictObject({
      order: orderNumber,
      amount_cents: z.int().min(1).max(MAX_CENTS),
      reason: z.string().min(1).max(500),
    }),
    access: 'write',
    idempotency: 'keyed',
    timeoutMs: 10_000,
    maxOutputBytes: 4_096,
    async run({ order, amount_cents, reason }, { idempotencyKey }): Promise<Json> {
      try {
        const row = await refund(database, [idempotencyKey, order, amount_cents, reason]);
        return { refunded: true, refund: row.refund_id, order: row.order_id, amount_cents: Number(row.amount_cents) };
      } catch (error) {
        const { code } = error as { readonly code?: unknown };
        if (code === FOREIGN_KEY_VIOLATION) return { refunded: false, order, why: 'there is no such order' };
        if (code === CHECK_VIOLATION)
          return { refunded: false, order, why: 'refunds would exceed the total of the order' };
        throw error;
      }
    },
  });

async function refund(database: Sql, values: readonly unknown[]): Promise<RefundRow> {
  const [made] = await database.query<RefundRow>(
    `INSERT INTO shop.refunds (idempotency_key, order_id, amount_cents, reason) VALUES ($1, $2, $3, $4)
     ON CONFLICT (idempotency_key) DO NOTHING RETURNING refund_id, order_id, amount_cents`,
    values,
  );
  if (made !== undefined) return made;
  const [earlier] = await database.query<RefundRow>(
    'SELECT refund_id, order_id, amount_cents FROM shop.refunds WHERE idempotency_key = $1',
    values.slice(0, 1),
  );
  if (earlier === undefined) throw new Error('a refund that was there is gone');
  return earlier;
}
