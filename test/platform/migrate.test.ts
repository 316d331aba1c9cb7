import { randomUUID } from 'node:crypto';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from '@jest/globals';
import { openDatabase, type OpenDatabase } from '../../src/platform/postgres/database.js';
import { migrate } from '../../src/platform/postgres/migrate.js';
import { dropDatabase, withDatabase } from '../stack/databases.js';
import { temporaryFolder } from '../stack/servers.js';
import { readStackFile } from '../stack/stack-file.js';

const role = `migrated_${randomUUID().slice(0, 8)}`;
const files = {
  '0001_role.sql': `DO $$ BEGIN
      IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = '${role}') THEN PERFORM pg_sleep(0.05); CREATE ROLE ${role}; END IF;
    END $$; -- a comment, with {braces} and a "quote`,
  'shop/0003_grant.sql': `GRANT SELECT ON shop.orders TO ${role};\n-- down migration: words in a comment, no more\nCREATE TABLE shop.last (id int);`,
  'shop/0002_orders.sql': `CREATE SCHEMA shop; CREATE TABLE shop.orders (id int);
    CREATE FUNCTION shop.twice(n int) RETURNS int LANGUAGE plpgsql AS $f$ BEGIN RETURN $1 * 2; -- not ; the end
    END $f$;`,
};

let folder: string;
let server: string;
let admin: OpenDatabase;
const names: string[] = [];

beforeAll(async () => {
  server = (await readStackFile()).adminUrl;
  admin = await openDatabase(server, { applicationName: 'migrate test', max: 2 });
});

afterEach(() => rm(folder, { recursive: true, force: true }));

beforeEach(async () => {
  folder = await temporaryFolder('sql');
  await write(files);
});

afterAll(async () => {
  for (const name of names) await dropDatabase(server, name);
  await admin.query(`DROP ROLE IF EXISTS ${role}`);
  await admin.close();
});

async function write(content: Readonly<Record<string, string>>): Promise<void> {
  for (const [name, text] of Object.entries(content)) {
    await mkdir(dirname(join(folder, name)), { recursive: true });
    await writeFile(join(folder, name), text);
  }
}

async function freshDatabase(): Promise<string> {
  const name = `migrate_${randomUUID().replaceAll('-', '')}`;
  await admin.query(`CREATE DATABASE ${name}`);
  names.push(name);
  return withDatabase(server, name);
}

async function ask(url: string, text: string) {
  const database = await openDatabase(url, { applicationName: 'migrate test', max: 1 });
  try {
    return await database.query(text);
  } finally {
    await database.close();
  }
}

it('runs files of all folders in the order of their numbers, each once', async () => {
  const url = await freshDatabase();
  expect(await migrate(url, { folder })).toEqual(['0001_role', '0002_orders', '0003_grant']);
  expect(await migrate(url, { folder })).toEqual([]);
  await write({ '0004_more.sql': 'CREATE TABLE shop.more (id int)' });
  expect(await migrate(url, { folder })).toEqual(['0004_more']);
  expect(await ask(url, 'SELECT shop.twice(21) AS n, to_regclass($$shop.last$$)::text AS last')).toEqual([
    { n: 42, last: 'shop.last' },
  ]);
});

it('given four callers at once on one database and one on another, runs each file once in each', async () => {
  await admin.query(`DROP ROLE IF EXISTS ${role}`).catch(() => undefined);
  const [one, other] = [await freshDatabase(), await freshDatabase()];
  const ran = await Promise.all([one, one, one, one, other].map((url) => migrate(url, { folder })));
  expect(ran.map((done) => done.length).sort()).toEqual([0, 0, 0, 3, 3]);
  const rows = await ask(one, 'SELECT name FROM public.rok_migrations ORDER BY id');
  expect(rows).toEqual([{ name: '0001_role' }, { name: '0002_orders' }, { name: '0003_grant' }]);
});

it('given a mistake in a file, names file and line and keeps nothing', async () => {
  const url = await freshDatabase();
  await write({ 'shop/0009_bad.sql': 'CREATE TABLE shop.good (id int);\nCREATE TABEL shop.bad (id int);' });
  await expect(migrate(url, { folder })).rejects.toMatchObject({
    code: 'migration_failed',
    exitCode: 1,
    message: `\`${join(folder, 'shop/0009_bad.sql')}:2\`: syntax error at or near "TABEL"`,
  });
  expect(await ask(url, 'SELECT to_regclass($$shop.orders$$)::text AS orders')).toEqual([{ orders: null }]);
});

it('given two files with one number, or a name without one, refuses before anything runs', async () => {
  const url = await freshDatabase();
  await write({ 'more/0002_again.sql': 'SELECT 1' });
  await expect(migrate(url, { folder })).rejects.toThrow('have the same number');
  await rm(join(folder, 'more/0002_again.sql'));
  await write({ 'orders.sql': 'SELECT 1' });
  await expect(migrate(url, { folder })).rejects.toThrow('is not named like `0001_name.sql`');
});

it('given an empty folder, runs nothing', async () => {
  const empty = await temporaryFolder('empty');
  expect(await migrate(await freshDatabase(), { folder: empty })).toEqual([]);
  await rm(empty, { recursive: true });
});

it('given no such database, says so, exit 9', async () => {
  await expect(migrate(withDatabase(server, 'nowhere'), { folder })).rejects.toMatchObject({ exitCode: 9 });
});
