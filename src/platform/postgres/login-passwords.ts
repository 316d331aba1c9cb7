/**
 * Passwords of the logins, for the database that ROK brings itself. Deliberately not used on a database of yours: whoever
 * runs that gives its logins their passwords.
 */
import pg from 'pg';
import { logins, roleOf, type Login } from './login.js';

/** Sets them as given. The statement holds the password: it is sent to the own database on loopback only. */
export async function ensureLoginPasswords(
  adminUrl: string,
  passwords: Readonly<Partial<Record<Login, string>>>,
): Promise<void> {
  const client = new pg.Client({ connectionString: adminUrl, application_name: 'rok-migrate' });
  await client.connect();
  try {
    for (const login of logins) {
      const password = passwords[login];
      if (password === undefined) continue;
      const role = client.escapeIdentifier(roleOf(login));
      await client.query(`ALTER ROLE ${role} WITH LOGIN PASSWORD ${client.escapeLiteral(password)}`);
    }
  } finally {
    await client.end();
  }
}

/** The same database as `adminUrl`, entered by a login. */
export function loginUrl(adminUrl: string, login: Login, password: string): string {
  const url = new URL(adminUrl);
  url.username = roleOf(login);
  url.password = encodeURIComponent(password);
  return url.href;
}
