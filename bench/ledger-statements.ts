/**
 * Where the time of a step goes inside PostgreSQL: every statement of the functions too, by pg_stat_statements. For
 * benchmarks only; counting costs some five percent.
 */
import type { OpenDatabase } from '../src/platform/postgres/database.js';

export const COUNTING: Readonly<Record<string, string>> = {
  shared_preload_libraries: 'pg_stat_statements',
  'pg_stat_statements.track': 'all',
};

type Row = {
  readonly toplevel: boolean;
  readonly query: string;
  readonly calls: number;
  readonly ms: number;
  readonly buffers: number;
};

export const startCounting = (admin: OpenDatabase): Promise<unknown> =>
  admin.query('CREATE EXTENSION IF NOT EXISTS pg_stat_statements; SELECT pg_stat_statements_reset()');

/** The dearest first; what runs inside a function is indented, and counted in its caller's time too. */
export async function statementLines(admin: OpenDatabase, steps: number): Promise<readonly string[]> {
  const rows = await admin.query<Row>(
    `SELECT toplevel, regexp_replace(query, '\\s+', ' ', 'g') AS query, calls::int AS calls, total_exec_time::float8 AS ms,
      (shared_blks_hit + shared_blks_read)::float8 AS buffers
    FROM pg_stat_statements ORDER BY total_exec_time DESC LIMIT 30`,
  );
  return rows.map(
    ({ toplevel, query, calls, ms, buffers }) =>
      `${((1000 * ms) / steps).toFixed(0).padStart(7)} µs a step ${(calls / steps).toFixed(2).padStart(6)} × ${((1000 * ms) / calls).toFixed(0).padStart(5)} µs ${(buffers / calls).toFixed(0).padStart(5)} pages  ${toplevel ? '' : '  '}${query.slice(0, 110)}`,
  );
}
