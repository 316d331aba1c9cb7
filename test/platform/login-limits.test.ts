import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import pg from 'pg';
import { loadConfig } from '../../src/platform/config/config.js';
import { openDatabase } from '../../src/platform/postgres/database.js';
import { checkLogins } from '../../src/platform/postgres/login-check.js';
import { missingLimits } from '../../src/platform/postgres/login-limits.js';
import { limitsOf, logins } from '../../src/platform/postgres/login.js';
import { createOwnStack, type OwnStack } from '../stack/stack.js';

// Roles belong to the whole server, so this one is its own.
let stack: OwnStack;
beforeAll(async () => {
  stack = await createOwnStack();
});
afterAll(() => stack.drop());

const checked = async () => {
  const urls = Object.entries(stack.urls).map(([login, url]) => [`ROK_DATABASE_URL_${login.toUpperCase()}`, url]);
  const checks = await checkLogins(loadConfig(Object.fromEntries(urls) as NodeJS.ProcessEnv));
  return Object.fromEntries(checks.map(({ login, detail, warn }) => [login, { detail, warn }]));
};

describe('the limits of each login', () => {
  it.each(logins)('%s: hold in a session that asks for none, as in those of the workers', async (login) => {
    const client = new pg.Client({ connectionString: stack.urls[login] });
    await client.connect();
    const { rows } = await client.query<{ name: string; setting: string }>(
      `SELECT name, setting FROM pg_settings WHERE name IN
        ('statement_timeout', 'lock_timeout', 'idle_in_transaction_session_timeout', 'jit') ORDER BY name`,
    );
    await client.end();
    const { statementTimeoutMs, lockTimeoutMs, idleInTransactionTimeoutMs } = limitsOf(login);
    expect(rows).toEqual([
      { name: 'idle_in_transaction_session_timeout', setting: String(idleInTransactionTimeoutMs) },
      { name: 'jit', setting: 'off' },
      { name: 'lock_timeout', setting: String(lockTimeoutMs) },
      { name: 'statement_timeout', setting: String(statementTimeoutMs) },
    ]);
  });

  it('the client’s own patience is above the server’s, so that the server says what was wrong', () => {
    for (const login of logins) {
      const { statementTimeoutMs, answerTimeoutMs } = limitsOf(login);
      expect(answerTimeoutMs).toBeGreaterThan(statementTimeoutMs);
    }
  });

  it('are watched: `rok doctor` says which of a role are missing or weaker', async () => {
    expect((await checked())['decide']?.detail).not.toContain('timeout');
    await stack.admin.query('ALTER ROLE rok_decide RESET lock_timeout');
    await stack.admin.query(`ALTER ROLE rok_decide SET statement_timeout = '1min'`);
    await stack.admin.query(`ALTER ROLE rok_read SET statement_timeout = 0`);
    await stack.admin.query('ALTER ROLE rok_observe RESET jit');
    const found = await checked();
    expect(found['observe']?.detail).toContain('jit of the role is not off');
    expect(found['decide']?.detail).toContain(
      'lock_timeout of the role is not set; statement_timeout of the role is 60000 ms, not 2000',
    );
    expect(found['read']).toMatchObject({ warn: true });
    expect(found['read']?.detail).toContain('statement_timeout of the role is 0 ms, not 30000');
    expect(found['execute']?.detail).not.toContain('timeout');
  });

  it('and those of a session', async () => {
    const weak = await openDatabase(stack.urls.audit, { login: 'audit', applicationName: 'weak', lockTimeoutMs: 0 });
    expect(await missingLimits(weak, 'audit')).toEqual(['lock_timeout of the session is 0 ms, not 30000']);
    await weak.close();
  });
});
