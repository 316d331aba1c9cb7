/**
 * All public keys that ever signed receipts: a retired key still verifies what it signed. Deliberately not a trust
 * root.
 */
import type { JSONWebKeySet, JWK } from 'jose';
import type { Sql } from '../../domain/sql.js';
import type { Signer } from '../receipts/signer.js';

/** False when another key is known by this name: its receipts would not verify any more. */
export async function enterKey(sql: Sql, { kid, publicJwk }: Signer): Promise<boolean> {
  await sql.query('INSERT INTO audit.keys (kid, jwk) VALUES ($1, $2) ON CONFLICT DO NOTHING', [
    kid,
    JSON.stringify(publicJwk),
  ]);
  const [known] = await sql.query<{ x: string }>(`SELECT jwk ->> 'x' AS x FROM audit.keys WHERE kid = $1`, [kid]);
  return known?.x === publicJwk.x;
}

/** In the order in which they were entered. */
export async function readKeys(sql: Sql): Promise<JSONWebKeySet> {
  const rows = await sql.query<{ jwk: JWK }>('SELECT jwk FROM audit.v_keys ORDER BY since, kid');
  return { keys: rows.map((row) => row.jwk) };
}
