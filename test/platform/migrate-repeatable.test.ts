/** What `migrate` leaves of functions, views, triggers and rights that an earlier version made. */
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { migrate } from '../../src/platform/postgres/migrate.js';
import {
  asWritten,
  ask,
  createMigrateRig,
  files,
  ordersFile,
  repeatable,
  role,
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

describe('what is repeatable', () => {
  it('once its text changes is as the files say: no signature, column, trigger, right or function of before', async () => {
    const url = await rig.madeOf();
    await rig.write({
      [ordersFile]: `CREATE OR REPLACE FUNCTION shop.twice(number bigint, OUT result bigint) LANGUAGE sql AS 'SELECT number * 3';
        CREATE OR REPLACE VIEW shop.v_orders AS SELECT shop.twice(id) AS twice, id FROM shop.orders;
        GRANT INSERT ON shop.orders TO ${role};`,
    });
    expect(await migrate(url, { folder: rig.folder() })).toEqual(repeatable);
    expect(await standing(url)).toEqual([
      'right orders INSERT',
      'right shop USAGE',
      'routine shop.is_small(integer)',
      'routine shop.twice(bigint)',
      'view v_orders twice,id',
    ]);
  });

  it('is gone with its file, also when that was the last of its schema', async () => {
    const url = await rig.madeOf();
    await rm(join(rig.folder(), 'repeatable'), { recursive: true });
    await migrate(url, { folder: rig.folder() });
    expect(await standing(url)).toEqual(['routine shop.is_small(integer)']);
  });

  it('is put back as it was when it was changed by hand, once any file changes', async () => {
    const url = await rig.madeOf();
    await ask(
      url,
      `CREATE VIEW shop.of_hand AS SELECT 1 AS n; GRANT ALL ON ALL TABLES IN SCHEMA shop TO ${role} WITH GRANT OPTION;
      ALTER TABLE shop.orders DISABLE TRIGGER keep`,
    );
    expect(await migrate(url, { folder: rig.folder() })).toEqual([]);
    await rig.write({ 'repeatable/0001_entry.sql': `${files['repeatable/0001_entry.sql']} -- changed` });
    await migrate(url, { folder: rig.folder() });
    expect(await standing(url)).toEqual(asWritten);
    expect(await ask(url, 'SELECT tgenabled FROM pg_trigger WHERE NOT tgisinternal')).toEqual([{ tgenabled: 'O' }]);
  });

  it('stands in no migration’s way: a column that a view shows gets another type', async () => {
    const url = await rig.madeOf({ 'migrations/0004_notes.sql': '-- nothing yet' });
    await rig.write({ 'migrations/0005_long_notes.sql': 'ALTER TABLE shop.orders ALTER note TYPE text' });
    expect(await migrate(url, { folder: rig.folder() })).toEqual(['migrations/0005_long_notes.sql', ...repeatable]);
    expect(await standing(url)).toEqual(asWritten);
  });

  it('is replaced in place where somebody’s own view needs it, and refused where that cannot be', async () => {
    const url = await rig.madeOf();
    await ask(url, 'CREATE SCHEMA mine; CREATE VIEW mine.report AS SELECT twice FROM shop.v_twice');
    const changed = files[ordersFile].replace('$1 * 2', '$1 * 20');
    await rig.write({ [ordersFile]: changed });
    await migrate(url, { folder: rig.folder() });
    await ask(url, 'INSERT INTO shop.orders VALUES (3)');
    expect(await ask(url, 'SELECT twice FROM mine.report')).toEqual([{ twice: 60 }]);
    await rig.write({ [ordersFile]: changed.replace('SELECT twice FROM', 'SELECT twice AS double FROM') });
    await expect(migrate(url, { folder: rig.folder() })).rejects.toMatchObject({
      code: 'migration_failed',
      message: expect.stringMatching(/0002_orders.sql`: cannot change name of view column "twice" to "double"/),
    });
    expect(await ask(url, 'SELECT twice FROM mine.report')).toEqual([{ twice: 60 }]);
  });
});
