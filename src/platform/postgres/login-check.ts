/**
 * Checks each database login: it can connect, it is the right one, and it is refused an act of another power. Changes
 * nothing: the forbidden statement would touch no row, and is rolled back if it is not refused.
 */
import { databaseUrlOf, type Config } from '../config/config.js';
import { openDatabase } from './database.js';
import { missingLimits } from './login-limits.js';
import { logins, roleOf, type Login } from './login.js';
import { sqlState } from './postgres-error.js';
import { StartError } from '../start-error.js';

/** One act of another power for each login. */
const FORBIDDEN: Readonly<Record<Login, string>> = {
  decide: 'INSERT INTO execute.results SELECT * FROM execute.results WHERE false',
  observe: "UPDATE decide.runs SET phase = 'COMPLETED' WHERE false",
  execute: 'INSERT INTO decide.decisions SELECT * FROM decide.decisions WHERE false',
  audit: "UPDATE decide.runs SET phase = 'COMPLETED' WHERE false",
  read: 'DELETE FROM decide.runs WHERE false',
};
const REFUSED = '42501';

export type LoginCheck = {
  readonly login: Login;
  readonly ok: boolean;
  readonly warn: boolean;
  readonly detail: string;
  readonly hint: string;
  /** Nobody answered at all. */
  readonly unreachable: boolean;
};

export const checkLogins = (config: Config): Promise<readonly LoginCheck[]> =>
  Promise.all(logins.map((login) => checkLogin(config, login)));

async function checkLogin(config: Config, login: Login): Promise<LoginCheck> {
  const found = (ok: boolean, detail: string, hint = '', more: Partial<LoginCheck> = {}): LoginCheck => ({
    login,
    ok,
    warn: false,
    detail,
    hint,
    unreachable: false,
    ...more,
  });
  try {
    const database = await openDatabase(databaseUrlOf(config, login), { login, applicationName: 'rok-doctor', max: 1 });
    try {
      const [who] = await database.query<{ name: string; version: string; weak: string | null }>(
        `SELECT session_user::text AS name, current_setting('server_version') AS version,
          (SELECT string_agg(s, ', ') FROM unnest(ARRAY['fsync', 'synchronous_commit', 'full_page_writes']) s WHERE current_setting(s) = 'off') AS weak`,
      );
      const refused = await database.query(FORBIDDEN[login]).then(
        () => 'nothing',
        (error: unknown) => sqlState(error) ?? 'another error',
      );
      const place = `\`${who?.name ?? ''}\` at ${database.place}, PostgreSQL ${who?.version ?? ''}`;
      if (who?.name !== roleOf(login)) return found(false, `${place}: not the login it should be`, 'correct its URL');
      if (refused === '42P01' || refused === '3F000')
        return found(false, `${place}: the tables are not there`, 'run `rok migrate`');
      if (refused !== REFUSED)
        return found(
          false,
          `${place}: was not refused an act of another power (${refused})`,
          'run `rok migrate` on a database that nobody changed by hand',
        );
      const limits = await missingLimits(database, login);
      const notes = [
        ...limits,
        ...(who.weak === null ? [] : [`${who.weak} off: commits may be lost`]),
        ...(database.sharedLogin ? ['entered through the URL of another user'] : []),
      ];
      const detail = [`${place}, refused what is not its work`, ...notes].join('; ');
      const hint = limits.length > 0 ? 'run sql/repeatable/0004_limits.sql again as the owner' : 'STRICT refuses this';
      return found(true, detail, hint, { warn: notes.length > 0 });
    } finally {
      await database.close();
    }
  } catch (error) {
    if (!(error instanceof StartError)) throw error;
    return found(false, error.message, error.hint, { unreachable: error.exitCode === 9 });
  }
}
