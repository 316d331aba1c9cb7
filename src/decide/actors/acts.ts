/** Reads earlier acts: an assertion counts once, across all runs and verbs. */
import type { Sql } from '../../domain/sql.js';

export async function usedBefore(sql: Sql, tokenId: string | undefined): Promise<boolean> {
  if (tokenId === undefined) return false;
  const [used] = await sql.query(
    `SELECT FROM decide.acts WHERE token_id = $1 UNION ALL SELECT FROM decide.admin_acts WHERE token_id = $1 LIMIT 1`,
    [tokenId],
  );
  return used !== undefined;
}
