/**
 * Writes the heads of the receipt chains for a place outside the database. A kept head proves that the chain up to it
 * existed, whatever happens to the database later. The caller decides where heads are kept.
 */
import type { Sql } from '../../domain/sql.js';
import { isoSql } from '../evidence/record-rows.js';
import type { OutsideHead } from '../verify/shapes.js';

/** @param view where the login may read them */
export const readHeads = (
  sql: Sql,
  view: 'audit.receipt_heads' | 'audit.v_receipt_heads',
): Promise<readonly OutsideHead[]> =>
  sql.query<OutsideHead>(
    `SELECT ${isoSql('clock_timestamp()')} AS at, h.tenant AS chain, h.n::text AS n, encode(h.hash, 'hex') AS hash
     FROM ${view} h WHERE h.n > 0 ORDER BY h.tenant`,
  );

/** One JSON object per line. */
export const headLines = (heads: readonly OutsideHead[]): string =>
  heads.map(({ at, chain, n, hash }) => `${JSON.stringify({ at, chain, n, hash })}\n`).join('');

/**
 * Hands each head on once, in the order in which the chains grew; what could not be written is handed on again.
 * @param write appends lines to where nobody of the database can change them
 */
export function headWriter(sql: Sql, write: (lines: string) => Promise<void>): () => Promise<number> {
  const written = new Map<string, string>();
  return async () => {
    const grown = (await readHeads(sql, 'audit.receipt_heads')).filter(({ chain, n }) => written.get(chain) !== n);
    if (grown.length === 0) return 0;
    await write(headLines(grown));
    for (const { chain, n } of grown) written.set(chain, n);
    return grown.length;
  };
}
