/** Opens a worker's pool under its own login, and refuses it if the profile does not accept what it finds there. */
import { PROFILE_RULES } from '../domain/profiles.js';
import { databaseUrlOf } from '../platform/config/config.js';
import { openDatabase, type OpenDatabase } from '../platform/postgres/database.js';
import { missingLimits } from '../platform/postgres/login-limits.js';
import { roleOf, type Login } from '../platform/postgres/login.js';
import { StartError } from '../platform/start-error.js';
import type { WorkerSetup } from './setup.js';

/** Without these a commit may be lost in a crash, and with it the evidence of what was done. */
const DURABLE = ['fsync', 'synchronous_commit', 'full_page_writes'] as const;

/** @throws StartError in STRICT for a shared login or a database that may lose commits; elsewhere a warning */
export async function openPool(setup: WorkerSetup, login: Login, worker: string, max: number): Promise<OpenDatabase> {
  const { config, log } = setup;
  const database = await openDatabase(databaseUrlOf(config, login), { login, applicationName: `rok-${worker}`, max });
  const limits = await missingLimits(database, login);
  if (limits.length > 0)
    log.warn({ login, limits }, 'limits of the login are not in force; `rok doctor` says how to set them');
  const problems = [
    ...(database.sharedLogin ? [`\`${roleOf(login)}\` is taken on by a login that may take on others`] : []),
    ...(await lossy(database)).map((name) => `\`${name}\` is off`),
  ];
  if (problems.length === 0) return database;
  if (!PROFILE_RULES[config.profile].refuseDevelopment) {
    log.warn({ login, problems }, 'fine for development, refused in STRICT');
    return database;
  }
  await database.close();
  throw new StartError({
    code: 'config_invalid',
    message: `profile STRICT refuses this database: ${problems.join('; ')}`,
    hint: 'give each login a URL of its own and switch the settings on',
    exitCode: 1,
  });
}

async function lossy(database: OpenDatabase): Promise<readonly string[]> {
  const rows = await database.query<{ name: string }>(
    `SELECT name FROM pg_settings WHERE name = ANY ($1) AND setting = 'off' ORDER BY name`,
    [DURABLE],
  );
  return rows.map((row) => row.name);
}
