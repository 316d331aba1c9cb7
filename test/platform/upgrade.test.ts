/**
 * A database with runs in it, closed, held and open, goes over to a later version: one more migration and changed repeatable
 * files, while the logins stay connected. The same migration is also run on an empty database, and both must be alike.
 */
import { cp, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { bundleText } from '../../src/audit/evidence/evidence.js';
import { verifyBundle } from '../../src/audit/verify/verify.js';
import { closeRun } from '../../src/audit/judge/close.js';
import { uuidOf, type RunId } from '../../src/domain/ids.js';
import { openDatabase, type OpenDatabase } from '../../src/platform/postgres/database.js';
import { migrate } from '../../src/platform/postgres/migrate.js';
import { createReceiptRig, type ReceiptRig } from '../audit/receipts-rig.js';
import { sealedRun } from '../audit/sealed-run.js';
import { rok } from '../cli/rig.js';
import { catalogueOf } from '../stack/catalogue.js';
import { dropDatabase, withDatabase } from '../stack/databases.js';
import { sqlFolder, temporaryFolder } from '../stack/servers.js';
import { readStackFile } from '../stack/stack-file.js';

const MIGRATION = 'migrations/decide/9001_ranks.sql';
const REFUSES = 'repeatable/rok/0002_append_only.sql';
const HALTS = 'repeatable/decide/0102_halts.sql';

let rig: ReceiptRig;
let later: string;
beforeAll(async () => {
  rig = await createReceiptRig();
  later = await temporaryFolder('later-sql');
  await cp(sqlFolder, later, { recursive: true });
  // What a view shows and a guard keeps gets another type, and every row a value.
  await writeFile(
    join(later, MIGRATION),
    `SET ROLE rok_decide_owner;
     ALTER TABLE decide.decisions ADD COLUMN rank integer NOT NULL DEFAULT 7;
     ALTER TABLE decide.runs ALTER COLUMN detail TYPE varchar(2000);
     UPDATE decide.decisions SET rank = 8 WHERE kind = 'run.outcome';
     RESET ROLE;`,
  );
  await change(REFUSES, "'append-only: %", "'append-only (later): %");
  await change(HALTS, 'VIEW decide.v_halts AS SELECT * FROM', 'VIEW decide.v_halts AS SELECT 1 AS version, h.* FROM');
  await change(
    HALTS,
    'decide.halts;\nGRANT SELECT ON decide.v_halts',
    'decide.halts h;\nGRANT SELECT ON decide.v_halts',
  );
});
afterAll(async () => {
  await rm(later, { recursive: true, force: true });
  await rig.stop();
});

async function change(path: string, from: string, to: string): Promise<void> {
  const text = await readFile(join(later, path), 'utf8');
  expect(text.split(from)).toHaveLength(2);
  await writeFile(join(later, path), text.replace(from, to));
}

const verified = async (run: RunId) => verifyBundle(bundleText(await rig.bundleOf(run)), { jwks: rig.jwks });
const check = () => rok(['migrate', '--check', '--url', rig.stack.adminUrl], {});

async function freshCatalogue(folder: string): Promise<readonly string[]> {
  const server = (await readStackFile()).adminUrl;
  const name = `${rig.stack.database}_fresh`;
  await rig.stack.admin.query(`CREATE DATABASE ${name}`);
  let fresh: OpenDatabase | undefined;
  try {
    await migrate(withDatabase(server, name), { folder });
    fresh = await openDatabase(withDatabase(server, name), { applicationName: 'tests', max: 1 });
    return await catalogueOf(fresh);
  } finally {
    await fresh?.close();
    await dropDatabase(server, name);
  }
}

describe('a database of these files', () => {
  it('has nothing to do, says `rok migrate --check`, and exits 0', async () => {
    expect(await check()).toEqual({ code: 0, out: 'nothing to do\n', err: '' });
  });

  it('of which a file is not yet as it is here, is told by name, and exits 1', async () => {
    await rig.stack.admin.query(`UPDATE public.rok_files SET checksum = 'before' WHERE path = $1`, [HALTS]);
    expect(await check()).toEqual({ code: 1, out: expect.stringMatching(`${HALTS} +changed\n$`), err: '' });
    expect(await rok(['migrate', '--url', rig.stack.adminUrl], {})).toMatchObject({ code: 0 });
    expect(await check()).toMatchObject({ code: 0 });
  });
});

it('goes over with a run that is held, one that is open and one that is signed; all verify, and it is as a fresh one', async () => {
  const signed = await rig.signedRun({ rich: true });
  const before = bundleText(await rig.bundleOf(signed));
  const open = await sealedRun(rig.stack, rig.logins, { open: true });
  const held = await sealedRun(rig.stack, rig.logins, {
    rich: true,
    async whileHeld() {
      const ran = await migrate(rig.stack.adminUrl, { folder: later });
      expect(ran.filter((path) => path.startsWith('migrations/'))).toEqual([MIGRATION]);
    },
  });

  expect(await closeRun(rig.deps, held)).toMatchObject({ status: 'COMPLETE', receipt: 2 });
  expect(await closeRun(rig.deps, open)).toMatchObject({ status: null });
  for (const run of [signed, held]) expect(await verified(run)).toMatchObject({ result: 'verified' });
  expect(await verifyBundle(before, { jwks: rig.jwks })).toMatchObject({ result: 'verified' });
  expect(bundleText(await rig.bundleOf(signed))).toBe(before);
  const next = await rig.signedRun();
  expect(await verified(next)).toMatchObject({ result: 'verified', receipt: { n: '3' } });

  const { admin } = rig.stack;
  // The guards are back, the new ones; the migration went past them.
  await expect(admin.query('UPDATE decide.decisions SET rank = 1 WHERE run_id = $1', [uuidOf(signed)])).rejects.toThrow(
    'append-only (later): UPDATE on decide.decisions',
  );
  expect(
    await admin.query('SELECT DISTINCT rank FROM decide.decisions WHERE run_id = $1 ORDER BY 1', [uuidOf(signed)]),
  ).toEqual([{ rank: 7 }, { rank: 8 }]);
  const upgraded = await catalogueOf(admin);
  expect(upgraded).toEqual(await freshCatalogue(later));
  expect(upgraded.filter((said) => said.startsWith('column decide v_halts 1 version'))).toHaveLength(1);
});

it('then is refused by the version of before, which says what to do', async () => {
  const said = await check();
  expect(said.code).toBe(1);
  expect(said.err).toContain(`\`${MIGRATION}\` ran on it, which this version does not have`);
  expect(said.err).toContain('use the version that ran it, or a later one');
});

it.each([
  'GRANT INSERT ON decide.accounts TO rok_read',
  'ALTER FUNCTION audit.badness(text) COST 7',
  'ALTER TABLE decide.journal DISABLE TRIGGER no_truncate',
  'CREATE INDEX planted ON decide.runs (agent)',
  'ALTER TABLE decide.runs ADD CHECK (last_step < 100000)',
  'ALTER VIEW decide.v_runs RENAME COLUMN agent TO agents',
])('of two databases that differ by `%s` the catalogues differ', async (statement) => {
  const before = await catalogueOf(rig.stack.admin);
  const undo = new Error('undo');
  await expect(
    rig.stack.admin.transaction(async (sql) => {
      await sql.query(statement);
      expect(await catalogueOf(sql)).not.toEqual(before);
      throw undo;
    }),
  ).rejects.toBe(undo);
});
