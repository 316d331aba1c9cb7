/**
 * Price tables by digest. A call is settled by the table that its decision named, even if the worker has loaded another
 * since. The table in force is in memory; others are read from the database and a few of them are cached.
 */
import type { Digest } from '../../domain/ids.js';
import type { Sql } from '../../domain/sql.js';
import { readPriceTable, type PriceTable } from './prices.js';
import type { OpenWarrant } from '../rows/run-row.js';

/** Null: there is no such table any more, or it is not what its digest says. */
export type PricesNamed = (table: Digest) => Pick<PriceTable, 'priceOf'> | null;
export type PriceTables = {
  /** For these warrants, where nothing has to be read for it; else null. */
  atHand(warrants: readonly OpenWarrant[]): PricesNamed | null;
  read(sql: Sql, warrants: readonly OpenWarrant[]): Promise<PricesNamed>;
};

const KEPT = 8;

export function createPriceTables(inForce: PriceTable): PriceTables {
  const kept = new Map<Digest, PriceTable | null>();
  const named: PricesNamed = (table) => (table === inForce.digest ? inForce : (kept.get(table) ?? null));
  const missing = (warrants: readonly OpenWarrant[]): readonly Digest[] => [
    ...new Set(
      warrants
        .filter(
          ({ price_key: key, price_table: table }) => key !== null && table !== inForce.digest && !kept.has(table),
        )
        .map(({ price_table: table }) => table),
    ),
  ];
  return {
    atHand: (warrants) => (missing(warrants).length === 0 ? named : null),
    async read(sql, warrants) {
      const wanted = missing(warrants);
      if (wanted.length === 0) return named;
      const rows = await sql.query<{ digest: Digest; body: string }>(
        'SELECT digest, body FROM decide.price_tables WHERE digest = ANY ($1)',
        [wanted],
      );
      const found = new Map(rows.map(({ digest, body }) => [digest, readPriceTable(digest, body)]));
      // What is not there is not kept as missing: it may be stored by the time of the next step.
      for (const [digest, table] of found) kept.set(digest, table);
      for (const old of [...kept.keys()].slice(0, Math.max(0, kept.size - KEPT))) kept.delete(old);
      return (table) => (table === inForce.digest ? inForce : (found.get(table) ?? kept.get(table) ?? null));
    },
  };
}
