/**
 * Whether a login's limits are in force: as defaults of its role, for sessions that set none, and in this session.
 * Changes nothing: sql/repeatable/0004_limits.sql sets the roles, database.ts the sessions.
 */
import type { Sql } from '../../domain/sql.js';
import { limitsOf, type Login, type LoginLimits } from './login.js';

const SETTINGS = {
  statement_timeout: 'statementTimeoutMs',
  lock_timeout: 'lockTimeoutMs',
  idle_in_transaction_session_timeout: 'idleInTransactionTimeoutMs',
} as const satisfies Readonly<Record<string, keyof LoginLimits>>;

type Found = { readonly name: keyof typeof SETTINGS; readonly session_ms: bigint; readonly role_ms: bigint | null };

/** What is weaker than it should be, one sentence for each; none when all is in force. */
export async function missingLimits(sql: Sql, login: Login): Promise<readonly string[]> {
  const found = await sql.query<Found>(
    `SELECT s.name, s.setting::bigint AS session_ms,
      (SELECT CASE WHEN c.value ~ '^[0-9]+$' THEN c.value::bigint ELSE (extract(epoch FROM c.value::interval) * 1000)::bigint END
       FROM pg_roles r, unnest(r.rolconfig) AS o (text), split_part(o.text, '=', 2) AS c (value)
       WHERE r.rolname = session_user AND split_part(o.text, '=', 1) = s.name) AS role_ms
    FROM pg_settings s WHERE s.name = ANY ($1) ORDER BY s.name`,
    [Object.keys(SETTINGS)],
  );
  const limits = found.flatMap(({ name, session_ms: session, role_ms: role }) => {
    const wanted = limitsOf(login)[SETTINGS[name]];
    return [
      ...(role === null ? [`${name} of the role is not set`] : []),
      ...(role !== null && isWeaker(role, wanted) ? [`${name} of the role is ${role} ms, not ${wanted}`] : []),
      ...(isWeaker(session, wanted) ? [`${name} of the session is ${session} ms, not ${wanted}`] : []),
    ];
  });
  return [...limits, ...(await compiled(sql))];
}

/** Where statements are compiled (JIT), which takes longer than they do. */
async function compiled(sql: Sql): Promise<readonly string[]> {
  const [found] = await sql.query<{ session: string; role: boolean }>(
    `SELECT current_setting('jit') AS session,
      EXISTS (SELECT FROM pg_roles WHERE rolname = session_user AND 'jit=off' = ANY (rolconfig)) AS role`,
  );
  return [
    ...(found?.role === true ? [] : ['jit of the role is not off']),
    ...(found?.session === 'off' ? [] : ['jit of the session is on']),
  ];
}

/** 0 is no limit. */
const isWeaker = (ms: bigint, wanted: number): boolean => ms === 0n || ms > BigInt(wanted);
