/** Sets and lifts halts. From its commit on, a halt stops every redemption and every decision in its scope. */
import type { AdminAct } from '../../domain/protocol/administer.js';
import type { Sql } from '../../domain/sql.js';

type Halt = Extract<AdminAct, { readonly scope: unknown }>;

/** @returns the id of the halt */
export async function setHalt(sql: Sql, { scope, subject, reason }: Halt, by: string): Promise<readonly string[]> {
  const rows = await sql.query<{ id: string }>(
    'INSERT INTO decide.halts (scope, subject, reason, set_by) VALUES ($1, $2, $3, $4) RETURNING halt_id::text AS id',
    [scope, subject, reason, by],
  );
  return rows.map(({ id }) => id);
}

/** Lifts all that are in force on exactly this scope and subject. @returns their ids; none where there was none */
export async function liftHalts(sql: Sql, { scope, subject }: Halt, by: string): Promise<readonly string[]> {
  const rows = await sql.query<{ id: string }>(
    `UPDATE decide.halts SET lifted_by = $3
    WHERE scope = $1 AND subject = $2 AND lifted_at IS NULL RETURNING halt_id::text AS id`,
    [scope, subject, by],
  );
  return rows.map(({ id }) => id).sort();
}
