/** `migrate` on a small folder: order, one transaction, what it refuses, and what it says that it would do. */
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { migrate, planMigrate } from '../../src/platform/postgres/migrate.js';
import { withDatabase } from '../stack/databases.js';
import { temporaryFolder } from '../stack/servers.js';
import {
  asWritten,
  ask,
  createMigrateRig,
  files,
  ordersFile,
  paths,
  repeatable,
  standing,
  type MigrateRig,
} from './migrate-rig.js';

let rig: MigrateRig;
beforeAll(async () => {
  rig = await createMigrateRig();
});
beforeEach(() => rig.begin());
afterEach(() => rig.end());
afterAll(() => rig.stop());

it('runs migrations in the order of their numbers over all folders, each once, and then what is repeatable', async () => {
  const url = await rig.freshDatabase();
  const ran: string[] = [];
  expect(await migrate(url, { folder: rig.folder(), log: (line) => ran.push(line) })).toEqual(paths);
  expect(ran).toEqual(paths);
  expect(await standing(url)).toEqual(asWritten);
  expect(await migrate(url, { folder: rig.folder() })).toEqual([]);
  await rig.write({ 'migrations/0004_more.sql': 'CREATE TABLE shop.more (id int)' });
  expect(await migrate(url, { folder: rig.folder() })).toEqual(['migrations/0004_more.sql', ...repeatable]);
  expect(await ask(url, 'SELECT shop.twice(21) AS n, to_regclass($$shop.more$$)::text AS more')).toEqual([
    { n: 42, more: 'shop.more' },
  ]);
});

it('given four callers at once on one database and one on another, runs each file once in each', async () => {
  await rig.dropRole().catch(() => undefined);
  const [one, other] = [await rig.freshDatabase(), await rig.freshDatabase()];
  const ran = await Promise.all([one, one, one, one, other].map((url) => migrate(url, { folder: rig.folder() })));
  expect(ran.map((done) => done.length).sort()).toEqual([0, 0, 0, 5, 5]);
  const rows = await ask(one, 'SELECT path FROM public.rok_files ORDER BY path');
  expect(rows).toEqual(paths.map((path) => ({ path })));
});

describe('a database that is not of these files is refused with what to do, and stays as it is', () => {
  const refused = async (url: string, says: RegExp, hint: RegExp) => {
    const before = await ask(url, 'SELECT * FROM pg_class').then((rows) => rows.length);
    for (const attempt of [migrate, planMigrate])
      await expect(attempt(url, { folder: rig.folder() })).rejects.toMatchObject({
        code: 'migration_refused',
        exitCode: 1,
        message: expect.stringMatching(says),
        hint: expect.stringMatching(hint),
      });
    expect(await ask(url, 'SELECT * FROM pg_class').then((rows) => rows.length)).toBe(before);
  };
  const other = 'CREATE TABLE shop.other (id int)';

  it('a migration was edited', async () => {
    const url = await rig.madeOf();
    await rig.write({
      'migrations/shop/0003_sales.sql': `${files['migrations/shop/0003_sales.sql']} -- `,
      'migrations/0009_other.sql': other,
    });
    await refused(url, /`migrations\/shop\/0003_sales.sql` was edited after it ran/, /put the file back/);
  });

  it('a later version ran on it', async () => {
    const url = await rig.madeOf({ 'migrations/0004_later.sql': other });
    await rm(join(rig.folder(), 'migrations/0004_later.sql'));
    await refused(
      url,
      /`migrations\/0004_later.sql` ran on it, which this version does not have/,
      /use the version that ran it/,
    );
  });

  it('a new migration has a number before those that ran', async () => {
    const url = await rig.madeOf({ 'migrations/0007_seven.sql': 'SELECT 1' });
    await rig.write({ 'migrations/0006_six.sql': other });
    await refused(url, /`migrations\/0006_six.sql` never ran on it, and later ones did/, /a number above 0007/);
  });

  it('its schemas were made without a record, by hand or by a version of before', async () => {
    const url = await rig.freshDatabase();
    await ask(url, 'CREATE SCHEMA shop');
    await refused(url, /has a schema `shop` and no record of the files that made it/, /make a new database/);
  });
});

it('given nothing to wait for, says what would run, file by file, and changes nothing', async () => {
  const url = await rig.freshDatabase();
  const plan = async () => {
    const { migrations, repeatables } = await planMigrate(url, { folder: rig.folder() });
    return [...migrations.map(({ path }) => path), ...repeatables.map(({ path, why }) => `${why} ${path}`)];
  };
  expect(await plan()).toEqual([...paths.slice(0, 3), ...repeatable.map((path) => `new ${path}`)]);
  expect(await ask(url, `SELECT to_regnamespace('shop') AS shop`)).toEqual([{ shop: null }]);
  await migrate(url, { folder: rig.folder() });
  expect(await plan()).toEqual([]);
  await rig.write({
    [ordersFile]: '-- nothing',
    'migrations/0004_more.sql': 'SELECT 1',
    'repeatable/shop/0005_more.sql': 'SELECT 1',
  });
  await rm(join(rig.folder(), 'repeatable/0001_entry.sql'));
  expect(await plan()).toEqual([
    'migrations/0004_more.sql',
    `changed ${ordersFile}`,
    'new repeatable/shop/0005_more.sql',
    'removed repeatable/0001_entry.sql',
  ]);
  expect(await standing(url)).toEqual(asWritten);
});

it.each(['migrations/shop/0009_bad.sql', 'repeatable/shop/0009_bad.sql'])(
  'given a mistake in %s, names file and line and keeps nothing',
  async (path) => {
    const url = await rig.freshDatabase();
    await rig.write({ [path]: 'CREATE TABLE shop.good (id int);\nCREATE TABEL shop.bad (id int);' });
    await expect(migrate(url, { folder: rig.folder() })).rejects.toMatchObject({
      code: 'migration_failed',
      exitCode: 1,
      message: `\`${join(rig.folder(), path)}:2\`: syntax error at or near "TABEL"`,
    });
    expect(await ask(url, `SELECT to_regnamespace('shop') AS shop, to_regclass('public.rok_files') AS record`)).toEqual(
      [{ shop: null, record: null }],
    );
  },
);

it.each([
  ['migrations/more/0002_again.sql', 'have the same number'],
  ['repeatable/more/0001_again.sql', 'have the same number'],
  ['migrations/orders.sql', 'is not named like `0001_name.sql`'],
  ['0005_where.sql', 'is neither below `migrations/` nor below `repeatable/`'],
])('given %s, refuses before anything runs', async (path, says) => {
  await rig.write({ [path]: 'SELECT 1' });
  await expect(migrate(await rig.freshDatabase(), { folder: rig.folder() })).rejects.toThrow(says);
});

it('given an empty folder, runs nothing', async () => {
  const empty = await temporaryFolder('empty');
  expect(await migrate(await rig.freshDatabase(), { folder: empty })).toEqual([]);
  await rm(empty, { recursive: true });
});

it('given no such database, says so, exit 9', async () => {
  await expect(migrate(withDatabase(rig.server, 'nowhere'), { folder: rig.folder() })).rejects.toMatchObject({
    exitCode: 9,
  });
});
