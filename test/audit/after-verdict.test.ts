/**
 * After the verdict rows are still evidence: `rok verify RUN` holds the live ones against the receipt, and judges them again;
 * who asks for something when a run has ended adds nothing to it. What the rolling sample does of it: sample.test.ts.
 */
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { readFile } from 'node:fs/promises';
import type { JWK } from 'jose';
import { collectBundle } from '../../src/audit/evidence/bundle.js';
import { closeRun } from '../../src/audit/judge/close.js';
import { bundleText } from '../../src/audit/evidence/evidence.js';
import { rejudge } from '../../src/audit/judge/rejudge.js';
import { createSigner } from '../../src/audit/receipts/signer.js';
import { uuidOf, type RunId } from '../../src/domain/ids.js';
import type { Sql } from '../../src/domain/sql.js';
import { createRig, type Rig } from '../cli/rig.js';
import { openAs } from './judged.js';
import { closeLogins, openLogins, sealedRun, type Logins } from './sealed-run.js';
import { byPython } from './verify-python.js';

let rig: Rig;
let logins: Logins;
beforeAll(async () => {
  rig = await createRig({ workers: false });
  logins = await openLogins(rig.stack);
});
afterAll(async () => {
  await closeLogins(logins);
  await rig.stop();
});

async function signed(): Promise<RunId> {
  const signer = await createSigner(JSON.parse(await readFile(rig.keys.signingKey, 'utf8')) as JWK);
  const run = await sealedRun(rig.stack, logins, { rich: true });
  const log = { info: () => undefined, warn: () => undefined, error: () => undefined };
  await closeRun({ database: logins.audit, signer, assertionKeys: null, log }, run);
  return run;
}
const asSuperuser = <T>(work: (sql: Sql) => Promise<T>): Promise<T> =>
  rig.stack.admin.transaction(async (sql) => {
    await sql.query('SET LOCAL session_replication_role = replica');
    return work(sql);
  });
const verify = (run: RunId, ...args: readonly string[]) =>
  rig.rok('verify', run, '--jwks', rig.keys.receiptKeySet, ...args);

it('untouched it verifies, with its tenant and agent, and comes to the same verdict', async () => {
  const run = await signed();
  const said = await verify(run, '--rejudge');
  expect(said.out).toContain(`of ${run}, agent desk of tenant acme, verdict COMPLETE, revision 1`);
  expect(said).toMatchObject({ code: 0 });
});

it('what is refused after the end is none of its evidence, and nobody can break a receipt by asking', async () => {
  const run = await signed();
  await logins.decide.query(
    `INSERT INTO decide.acts (run_id, update_id, verb, actor, roles, issuer, allowed, reason)
     VALUES ($1, 'late', 'kill', 'mallory', '{}', 'none', false, 'the run has ended')`,
    [uuidOf(run)],
  );
  expect(await verify(run)).toMatchObject({ code: 0 });
});

describe('changed by a superuser whom no trigger stops', () => {
  it.each([
    [
      'who approved',
      `UPDATE decide.acts SET actor = 'local:eve' WHERE run_id = $1`,
      'act u-1: what was written there is not what the receipt covers',
    ],
    ['why', `UPDATE decide.acts SET reason = 'no reason' WHERE run_id = $1`, 'act u-1: '],
    ['an approval', `DELETE FROM decide.acts WHERE run_id = $1`, 'act 1: it is not there'],
    [
      'an approval flipped',
      `UPDATE decide.acts SET verb = 'reject' WHERE run_id = $1`,
      'act 1: it is not the one of the receipt',
    ],
    [
      'how a hold ended',
      `UPDATE decide.holds SET resolution = 'timed_out' WHERE run_id = $1`,
      'hold 1: it is not the one of the receipt',
    ],
    ['an evaluation', `UPDATE execute.evaluations SET outcome = 'failed' WHERE run_id = $1`, 'evaluation 1: '],
    [
      'who asked for it',
      `UPDATE decide.runs SET actor = '{"name":"local:eve"}' WHERE run_id = $1`,
      'run row 1: what was written there',
    ],
    [
      'how it ended',
      `UPDATE decide.runs SET phase = 'FAILED', outcome = 'failed' WHERE run_id = $1`,
      'run row 1: it is not the one of the receipt',
    ],
    ['its agent', `UPDATE decide.runs SET agent = 'other' WHERE run_id = $1`, 'run row 1: '],
    [
      'a column of the contract',
      `UPDATE audit.contracts SET profile = 'OBSERVE_ONLY' WHERE run_id = $1`,
      'contract row 1: ',
    ],
    [
      'an expectation',
      `DELETE FROM audit.expectations WHERE run_id = $1 AND n = 2`,
      'expectation row 2: it is not there',
    ],
    [
      'the number of its receipt',
      `UPDATE audit.receipts SET prev = decode(repeat('8', 64), 'hex') WHERE run_id = $1`,
      'its columns are not what it says',
    ],
  ])('%s is found', async (_what, change, answer) => {
    const run = await signed();
    await asSuperuser((sql) => sql.query(change, [uuidOf(run)]));
    const said = await verify(run);
    expect(said.out).toContain(answer);
    expect(said.code).toBe(6);
  });

  it('what no record covers is found where the rows are judged again', async () => {
    const run = await signed();
    await asSuperuser((sql) => sql.query('DELETE FROM decide.reservations WHERE run_id = $1', [uuidOf(run)]));
    expect(await verify(run)).toMatchObject({ code: 0 });
    const said = await verify(run, '--rejudge');
    expect([said.code, said.out]).toEqual([
      6,
      'broken: finding UNWARRANTED step 1 attempt 1: the rows come to it, and the receipt does not name it\n',
    ]);
  });
});

it('names and reasons may be erased with their salt; another in their place is found', async () => {
  const run = await signed();
  await asSuperuser(async (sql) => {
    await sql.query(`UPDATE decide.acts SET actor = 'erased', assertion = NULL, reason = NULL WHERE run_id = $1`, [
      uuidOf(run),
    ]);
    await sql.query(`UPDATE audit.content_digests SET salt = NULL WHERE run_id = $1 AND kind = 'acts'`, [uuidOf(run)]);
  });
  expect(await verify(run)).toMatchObject({ code: 0 });
  const reader = await openAs(rig.stack, 'read');
  const bundle = await collectBundle(reader, run);
  await reader.close();
  const keys: unknown = JSON.parse(await readFile(rig.keys.receiptKeySet, 'utf8'));
  const [python] = await byPython([bundle === null ? '' : bundleText(bundle)], keys as object);
  expect(python).toMatch(/^verified: .* agent desk of tenant acme/);

  await asSuperuser((sql) => sql.query(`UPDATE decide.acts SET reason = 'another' WHERE run_id = $1`, [uuidOf(run)]));
  expect((await verify(run)).out).toContain('act u-1: ');
});

it('judging again needs a login that reads, and writes nothing', async () => {
  const run = await signed();
  const reader = await openAs(rig.stack, 'read');
  const before = await reader.query('SELECT count(*) FROM audit.v_all_verdicts');
  expect(await rejudge(reader, run)).toMatchObject({ status: 'COMPLETE', findings: [], facts: { phase: 'COMPLETED' } });
  expect(await rejudge(reader, 'run_00000000-0000-4000-8000-000000000000' as RunId)).toBeNull();
  expect(await reader.query('SELECT count(*) FROM audit.v_all_verdicts')).toEqual(before);
  await reader.close();
  expect(await rig.stack.admin.query(`SELECT provolatile FROM pg_proc WHERE proname = 'rejudge' ORDER BY 1`)).toEqual([
    { provolatile: 's' },
    { provolatile: 's' },
  ]);
  await expect(logins.execute.query('SELECT * FROM audit.rejudge($1)', [uuidOf(run)])).rejects.toThrow(
    'permission denied',
  );
});
