/** When recurring work last succeeded, and how far a search has come: one row per name, moved forward. */
import type { Sql } from '../../domain/sql.js';

/** How far a search came: a time, and what tells apart what has the same. */
export type Place = { readonly at: string; readonly place: string | null };

/** With no time given: now, by database time. */
export async function beat(
  sql: Sql,
  name: string,
  at: string | null = null,
  place: string | null = null,
): Promise<void> {
  await sql.query(
    `INSERT INTO audit.beats (name, at, place) VALUES ($1, coalesce($2::timestamptz, clock_timestamp()), $3)
     ON CONFLICT (name) DO UPDATE SET at = excluded.at, place = excluded.place`,
    [name, at, place],
  );
}

export async function lastPlace(sql: Sql, name: string): Promise<Place | null> {
  const [row] = await sql.query<Place>('SELECT at, place FROM audit.beats WHERE name = $1', [name]);
  return row ?? null;
}
