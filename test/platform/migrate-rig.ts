/** A small sql/ folder and fresh databases to migrate by it: a schema with a table that a CHECK, a view and a trigger stand on. */
import { randomUUID } from 'node:crypto';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { openDatabase } from '../../src/platform/postgres/database.js';
import { migrate } from '../../src/platform/postgres/migrate.js';
import { dropDatabase, withDatabase } from '../stack/databases.js';
import { temporaryFolder } from '../stack/servers.js';
import { readStackFile } from '../stack/stack-file.js';

/** Of this test file alone: roles belong to the whole cluster. */
export const role = `migrated_${randomUUID().slice(0, 8)}`;
export const files = {
  'migrations/0001_role.sql': `DO $$ BEGIN
      IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = '${role}') THEN PERFORM pg_sleep(0.05); CREATE ROLE ${role}; END IF;
    END $$; -- a comment, with {braces} and a "quote
    CREATE SCHEMA shop;`,
  'migrations/shop/0003_sales.sql': 'CREATE TABLE shop.sales (id int REFERENCES shop.orders)',
  'migrations/shop/0002_orders.sql': `CREATE FUNCTION shop.is_small(n int) RETURNS boolean LANGUAGE sql AS 'SELECT n < 100';
    CREATE TABLE shop.orders (id int PRIMARY KEY CHECK (shop.is_small(id)), note varchar(10));`,
  'repeatable/0001_entry.sql': `GRANT USAGE ON SCHEMA shop TO ${role};`,
  'repeatable/shop/0002_orders.sql': `CREATE OR REPLACE FUNCTION shop.twice(n int) RETURNS int LANGUAGE plpgsql AS $f$
    BEGIN RETURN $1 * 2; -- not ; the end
    END $f$;
    CREATE OR REPLACE FUNCTION shop.keep() RETURNS trigger LANGUAGE plpgsql AS $f$ BEGIN RETURN NULL; END $f$;
    CREATE OR REPLACE TRIGGER keep BEFORE DELETE ON shop.orders FOR EACH ROW EXECUTE FUNCTION shop.keep();
    CREATE OR REPLACE VIEW shop.v_orders AS SELECT id, note, shop.twice(id) AS twice FROM shop.orders;
    CREATE OR REPLACE VIEW shop.v_twice AS SELECT twice FROM shop.v_orders;
    GRANT SELECT ON shop.orders, shop.v_orders TO ${role};
    GRANT INSERT (id) ON shop.orders TO ${role};`,
};
export const paths = [
  'migrations/0001_role.sql',
  'migrations/shop/0002_orders.sql',
  'migrations/shop/0003_sales.sql',
  'repeatable/0001_entry.sql',
  'repeatable/shop/0002_orders.sql',
];
export const repeatable = paths.slice(3);
export const ordersFile = 'repeatable/shop/0002_orders.sql';

/** What stands once the files ran. */
export const asWritten = [
  'right orders SELECT',
  'right orders.id INSERT',
  'right shop USAGE',
  'right v_orders SELECT',
  'routine shop.is_small(integer)',
  'routine shop.keep()',
  'routine shop.twice(integer)',
  'trigger keep',
  'view v_orders id,note,twice',
  'view v_twice twice',
];

export type MigrateRig = {
  readonly server: string;
  /** The folder of this test, with `files` in it. */
  folder(): string;
  write(content: Readonly<Record<string, string>>): Promise<void>;
  freshDatabase(): Promise<string>;
  /** A database migrated by the folder, after `content` was written there. */
  madeOf(content?: Readonly<Record<string, string>>): Promise<string>;
  dropRole(): Promise<void>;
  /** Before and after each test. */
  begin(): Promise<void>;
  end(): Promise<void>;
  stop(): Promise<void>;
};

export async function createMigrateRig(): Promise<MigrateRig> {
  const server = (await readStackFile()).adminUrl;
  const admin = await openDatabase(server, { applicationName: 'migrate test', max: 2 });
  const names: string[] = [];
  let folder = '';
  const write = async (content: Readonly<Record<string, string>>): Promise<void> => {
    for (const [name, text] of Object.entries(content)) {
      await mkdir(dirname(join(folder, name)), { recursive: true });
      await writeFile(join(folder, name), text);
    }
  };
  const freshDatabase = async (): Promise<string> => {
    const name = `migrate_${randomUUID().replaceAll('-', '')}`;
    await admin.query(`CREATE DATABASE ${name}`);
    names.push(name);
    return withDatabase(server, name);
  };
  const dropRole = async (): Promise<void> => {
    await admin.query(`DROP ROLE IF EXISTS ${role}`);
  };
  return {
    server,
    folder: () => folder,
    write,
    freshDatabase,
    async madeOf(content = {}) {
      const url = await freshDatabase();
      await write(content);
      await migrate(url, { folder });
      return url;
    },
    dropRole,
    async begin() {
      folder = await temporaryFolder('sql');
      await write(files);
    },
    end: () => rm(folder, { recursive: true, force: true }),
    async stop() {
      for (const name of names) await dropDatabase(server, name);
      await dropRole();
      await admin.close();
    },
  };
}

export async function ask(url: string, text: string) {
  const database = await openDatabase(url, { applicationName: 'migrate test', max: 1 });
  try {
    return await database.query(text);
  } finally {
    await database.close();
  }
}

/** What stands in the schema: relations, routines, triggers, and what the role may do there. */
export async function standing(url: string): Promise<readonly string[]> {
  const rows = await ask(
    url,
    `SELECT said FROM (
      SELECT 'view ' || c.relname || ' ' || string_agg(a.attname, ',' ORDER BY a.attnum) FROM pg_class c
        JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0
        WHERE c.relnamespace = 'shop'::regnamespace AND c.relkind = 'v' GROUP BY c.oid
      UNION ALL SELECT 'routine ' || p.oid::regprocedure FROM pg_proc p WHERE p.pronamespace = 'shop'::regnamespace
      UNION ALL SELECT 'trigger ' || t.tgname FROM pg_trigger t WHERE NOT t.tgisinternal
      UNION ALL SELECT 'right ' || r.object || ' ' || a.privilege_type FROM (
        SELECT c.relname::text, c.relacl FROM pg_class c WHERE c.relnamespace = 'shop'::regnamespace
        UNION ALL SELECT c.relname || '.' || t.attname, t.attacl FROM pg_class c JOIN pg_attribute t ON t.attrelid = c.oid
          WHERE c.relnamespace = 'shop'::regnamespace
        UNION ALL SELECT nspname, nspacl FROM pg_namespace WHERE nspname = 'shop') r (object, acl), aclexplode(r.acl) a
        WHERE a.grantee = '${role}'::regrole) all_of_it (said) ORDER BY said COLLATE "C"`,
  );
  return rows.map((row) => String(row['said']));
}
