/** Reads a tenant's chain of receipts as it is now, for verify/chain.ts. Judges nothing. */
import type { JSONWebKeySet } from 'jose';
import type { Sql } from '../../domain/sql.js';
import type { ReceiptChain } from '../verify/shapes.js';

/** @param chain a tenant, or `-` for strays @param keys public keys to put beside the receipts */
export async function collectChain(sql: Sql, chain: string, keys: JSONWebKeySet): Promise<ReceiptChain> {
  const receipts = await sql.query<{ n: string; hash: string; jws: string }>(
    `SELECT n::text AS n, encode(hash, 'hex') AS hash, jws FROM audit.v_receipts r WHERE tenant = $1 ORDER BY r.n`,
    [chain],
  );
  return { version: 1, chain, receipts, keys };
}
