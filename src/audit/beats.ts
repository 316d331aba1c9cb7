/** When recurring work last succeeded, and how far a search has come: one row per name, moved forward. */
import type { Sql } from '../domain/sql.js';

/** With no time given: now, by database time. */
export async function beat(sql: Sql, name: string, at: string | null = null): Promise<void> {
  await sql.query(
    `INSERT INTO audit.beats (name, at) VALUES ($1, coalesce($2::timestamptz, clock_timestamp()))
     ON CONFLICT (name) DO UPDATE SET at = excluded.at`,
    [name, at],
  );
}

export async function lastBeat(sql: Sql, name: string): Promise<string | null> {
  const [row] = await sql.query<{ at: string }>('SELECT at FROM audit.beats WHERE name = $1', [name]);
  return row?.at ?? null;
}
