/** Offenders that only a superuser can plant, with triggers and foreign keys off, and how a table is made whole again. */
import type { OpenDatabase } from '../../src/platform/postgres/database.js';

/** Keeps a copy of `table`, makes `offence` in it, and answers what puts the copy back. */
export async function plantIn(admin: OpenDatabase, table: string, offence: string): Promise<() => Promise<void>> {
  const columns = await admin.query<{ name: string }>(
    `SELECT quote_ident(attname) AS name FROM pg_attribute
    WHERE attrelid = $1::regclass AND attnum > 0 AND NOT attisdropped AND attgenerated = '' ORDER BY attnum`,
    [table],
  );
  const names = columns.map(({ name }) => name).join(', ');
  await admin.transaction(async (sql) => {
    await sql.query('SET LOCAL session_replication_role = replica');
    await sql.query(`CREATE TABLE public.kept AS SELECT ${names} FROM ${table}`);
    const changed = await sql.query(`${offence} RETURNING 1`);
    if (changed.length === 0) throw new Error(`nothing was planted in ${table}`);
  });
  return () =>
    admin.transaction(async (sql) => {
      await sql.query('SET LOCAL session_replication_role = replica');
      await sql.query(`DELETE FROM ${table}`);
      await sql.query(`INSERT INTO ${table} (${names}) OVERRIDING SYSTEM VALUE SELECT ${names} FROM public.kept`);
      await sql.query('DROP TABLE public.kept');
    });
}

/** The JWS with another payload under the signature it had. */
export function otherPayload(jws: string, change: (payload: string) => string): string {
  const [head = '', payload = '', signature = ''] = jws.split('.');
  const changed = change(Buffer.from(payload, 'base64url').toString());
  return [head, Buffer.from(changed).toString('base64url'), signature].join('.');
}
