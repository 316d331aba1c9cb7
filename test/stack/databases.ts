/** Databases for tests: fresh ones by migration, many by copying one. */
import { openDatabase, type OpenDatabase } from '../../src/platform/postgres/database.js';
import { ensureLoginPasswords, loginUrl } from '../../src/platform/postgres/login-passwords.js';
import { logins, type Login } from '../../src/platform/postgres/login.js';
import { migrate } from '../../src/platform/postgres/migrate.js';
import { hasSql, sqlFolder } from './servers.js';

export type LoginUrls = Readonly<Record<Login, string>>;

export async function migrateForTests(
  adminUrl: string,
  passwords: Readonly<Partial<Record<Login, string>>>,
): Promise<void> {
  if (!hasSql()) return;
  await migrate(adminUrl, { folder: sqlFolder });
  await ensureLoginPasswords(adminUrl, passwords);
}

export function withDatabase(url: string, database: string): string {
  const target = new URL(url);
  target.pathname = `/${database}`;
  return target.href;
}

export function loginUrls(adminUrl: string, passwords: Readonly<Record<string, string>>): LoginUrls {
  return Object.fromEntries(
    logins.map((login) => [login, loginUrl(adminUrl, login, passwords[login] ?? '')]),
  ) as LoginUrls;
}

/** A copy with the rights on the database itself, which PostgreSQL does not copy. */
export async function copyDatabase(serverUrl: string, template: string, name: string): Promise<void> {
  const admin = await openDatabase(serverUrl, { applicationName: 'tests', max: 1 });
  try {
    await admin.query(`CREATE DATABASE ${name} TEMPLATE ${template}`);
    const grants = await admin.query<{ grant: string }>(
      `SELECT format('GRANT %s ON DATABASE ${name} TO %s', acl.privilege_type,
                     CASE WHEN acl.grantee = 0 THEN 'PUBLIC' ELSE acl.grantee::regrole::text END) AS grant
         FROM pg_database, aclexplode(datacl) acl WHERE datname = $1`,
      [template],
    );
    if (grants.length > 0) await admin.query(`REVOKE ALL ON DATABASE ${name} FROM PUBLIC`);
    for (const { grant } of grants) await admin.query(grant);
  } finally {
    await admin.close();
  }
}

export async function dropDatabase(serverUrl: string, name: string): Promise<void> {
  const admin = await openDatabase(serverUrl, { applicationName: 'tests', max: 1 });
  await admin.query(`DROP DATABASE IF EXISTS ${name} WITH (FORCE)`);
  await admin.close();
}

export function openAdmin(adminUrl: string): Promise<OpenDatabase> {
  return openDatabase(adminUrl, { applicationName: 'tests', max: 4 });
}
