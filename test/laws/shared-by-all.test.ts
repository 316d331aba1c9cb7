/** Whoever takes all connections that a server has keeps nobody from being judged: the audit worker has some of its own. */
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import pg from 'pg';
import { openDatabase } from '../../src/platform/postgres/database.js';
import { startPostgres, type LocalPostgres } from '../../src/platform/local/postgres.js';
import { loginUrls, migrateForTests, type LoginUrls } from '../stack/databases.js';
import { temporaryFolder, testPasswords } from '../stack/servers.js';

let folder: string;
let server: LocalPostgres;
let urls: LoginUrls;
const taken: pg.Client[] = [];
beforeAll(async () => {
  folder = await temporaryFolder('connections');
  server = await startPostgres({
    dataDir: join(folder, 'postgres'),
    settings: { fsync: 'off', max_connections: '24' },
  });
  await migrateForTests(server.adminUrl('postgres'), testPasswords);
  urls = loginUrls(server.adminUrl('postgres'), testPasswords);
});
afterAll(async () => {
  await Promise.all(taken.map((client) => client.end()));
  await server.stop();
  await rm(folder, { recursive: true, force: true });
});

it('the judge connects and judges where another login holds all connections that are free', async () => {
  const another = async (): Promise<string | undefined> => {
    const client = new pg.Client({ connectionString: urls.execute });
    client.on('error', () => undefined);
    try {
      await client.connect();
      taken.push(client);
      return undefined;
    } catch (error) {
      return (error as { readonly code?: string }).code;
    }
  };
  let refused: string | undefined;
  while (refused === undefined && taken.length < 100) refused = await another();
  expect(refused).toBe('53300');
  const audit = await openDatabase(urls.audit, { login: 'audit', applicationName: 'tests', max: 10 });
  const judged = await Promise.all(Array.from({ length: 10 }, () => audit.query('SELECT audit.judge(NULL, 10)')));
  expect(judged).toEqual(Array.from({ length: 10 }, () => []));
  await audit.close();
});

it('readers are bounded', async () => {
  const admin = await openDatabase(server.adminUrl('postgres'), { applicationName: 'tests', max: 1 });
  expect(
    await admin.query(`SELECT rolconnlimit BETWEEN 1 AND 50 AS bounded FROM pg_roles WHERE rolname = 'rok_read'`),
  ).toEqual([{ bounded: true }]);
  await admin.close();
});
