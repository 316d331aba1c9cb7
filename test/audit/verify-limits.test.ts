/** What the evidence does not show: each row of "Not detected" in docs/threat-model.md, shown to be undetected. */
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { decodeJwt } from 'jose';
import { collectBundle } from '../../src/audit/evidence/bundle.js';
import { closeRun } from '../../src/audit/judge/close.js';
import { bundleText } from '../../src/audit/evidence/evidence.js';
import { headLines, readHeads } from '../../src/audit/receipts/heads.js';
import { collectChain } from '../../src/audit/receipts/receipt-chain.js';
import { receiptHash, statedBy, type Receipt } from '../../src/audit/receipts/receipt.js';
import { differenceOf, rejudge } from '../../src/audit/judge/rejudge.js';
import { parseHeads, verifyChain } from '../../src/audit/verify/chain.js';
import { verifyBundle } from '../../src/audit/verify/verify.js';
import { uuidOf, type RunId } from '../../src/domain/ids.js';
import type { Sql } from '../../src/domain/sql.js';
import { openAs } from './judged.js';
import { resigned } from './resigned.js';
import { createReceiptRig, type ReceiptRig } from './receipts-rig.js';
import { sealedRun } from './sealed-run.js';

let rig: ReceiptRig;
beforeAll(async () => {
  rig = await createReceiptRig();
});
afterAll(() => rig.stop());

const asSuperuser = <T>(work: (sql: Sql) => Promise<T>): Promise<T> =>
  rig.stack.admin.transaction(async (sql) => {
    await sql.query('SET LOCAL session_replication_role = replica');
    return work(sql);
  });
const resultOf = async (run: RunId): Promise<string> => {
  const bundle = await collectBundle(rig.logins.audit, run);
  return bundle === null ? 'no receipt' : (await verifyBundle(bundleText(bundle), { jwks: rig.jwks })).result;
};

it('what follows the last outside head: a run can be made never to have been', async () => {
  await rig.signedRun({ tenant: 'cut' });
  const heads = parseHeads(headLines(await readHeads(rig.logins.audit, 'audit.receipt_heads'))) ?? [];
  const gone = await rig.signedRun({ tenant: 'cut' });
  await asSuperuser(async (sql) => {
    for (const table of [
      'audit.receipts',
      'audit.verdicts',
      'audit.acks',
      'audit.expectations',
      'audit.contracts',
      'observe.events',
      'observe.heads',
    ])
      await sql.query(`DELETE FROM ${table} WHERE run_id = $1`, [uuidOf(gone)]);
    await sql.query(
      `UPDATE audit.receipt_heads h SET n = 1, hash = r.hash FROM audit.receipts r WHERE h.tenant = 'cut' AND r.tenant = 'cut' AND r.n = 1`,
    );
  });
  const chain = await collectChain(rig.logins.audit, 'cut', rig.jwks);
  expect(await verifyChain(chain, { jwks: rig.jwks }, heads)).toMatchObject({
    result: 'verified',
    chain: { receipts: 1 },
  });
});

it('what no receipt covers: a run without a verdict, and columns that no record has', async () => {
  const open = await sealedRun(rig.stack, rig.logins, { open: true });
  await asSuperuser((sql) =>
    sql.query(`UPDATE decide.decisions SET target = 'another' WHERE run_id = $1 AND step = 1`, [uuidOf(open)]),
  );
  expect(await resultOf(open)).toBe('no receipt');
  const run = await rig.signedRun();
  await asSuperuser(async (sql) => {
    await sql.query(`UPDATE decide.reservations SET spent_micros = 1 WHERE run_id = $1`, [uuidOf(run)]);
  });
  expect(await resultOf(run)).toBe('verified');
});

it('what came after the verdict of a run that was judged while open', async () => {
  await rig.stack.admin.query(
    `INSERT INTO audit.terms VALUES ('hasty', 'desk', '1 millisecond', '1 millisecond', '1 day')`,
  );
  const run = await sealedRun(rig.stack, rig.logins, { tenant: 'hasty', open: true });
  await closeRun(rig.deps, run);
  await asSuperuser((sql) =>
    sql.query(
      `INSERT INTO decide.decisions (run_id, step, attempt, kind, target, effect, action_digest, request_digest, arguments_digest,
         context_digest, snapshot_digest, policy_set_digest, price_table_digest, body)
       VALUES ($1, 9, 1, 'skill.call', 'late', 'deny', $2::text, $2::text, $2::text, $2::text, $2::text, $2::text, $2::text, '{}')`,
      [uuidOf(run), '1'.repeat(64)],
    ),
  );
  expect((await rig.bundleOf(run)).decisions.at(-1)).toContain('"late"');
  expect(await resultOf(run)).toBe('verified');
});

it('an owner with the signing key, the rows and the outside copies writes another history that verifies', async () => {
  const bundle = await rig.bundleOf(await rig.signedRun({ tenant: 'owner' }));
  const forged = await resigned(bundle, rig.signer, {
    records: { decisions: (one) => (one['step'] === 1 ? { ...one, target: 'a/cheaper-one' } : one) },
  });
  const { chain, n } = decodeJwt(bundle.receipt) as unknown as Receipt;
  const heads = [{ at: '2026-01-01T00:00:00.000000Z', chain, n, hash: receiptHash(forged.receipt) }];
  expect(await verifyBundle(bundleText(forged), { jwks: rig.jwks }, { heads })).toMatchObject({
    result: 'verified',
    receipt: { status: 'COMPLETE' },
  });
});

it('a verdict that a superuser made worse, before it is signed: only who judges again finds it', async () => {
  const run = await sealedRun(rig.stack, rig.logins, { tenant: 'framed' });
  await rig.stack.admin.query(
    `INSERT INTO audit.verdicts (run_id, revision, status, findings, facts, judged_at)
     VALUES ($1, 1, 'INCOMPLETE', '[{"code":"HOLLOW","blocking":true,"subject":"made/up","detail":"x"}]', '{}', clock_timestamp())`,
    [uuidOf(run)],
  );
  await closeRun(rig.deps, run);
  expect(await resultOf(run)).toBe('verified');
  const reader = await openAs(rig.stack, 'read');
  expect(differenceOf(statedBy((await rig.bundleOf(run)).receipt), await rejudge(reader, run))).toEqual({
    what: 'finding HOLLOW made/up',
    detail: 'the receipt names it, and the rows do not come to it',
  });
  await reader.close();
});

it('a lie at the source: a usage that was never reported by anybody is signed as it was written', async () => {
  const run = await rig.signedRun();
  expect((await rig.bundleOf(run)).results[0]).toContain('"outputTokens":"5"');
  expect(await resultOf(run)).toBe('verified');
});

it('a price of the deciders’ own: what a call was settled at is held against no price table', async () => {
  const run = await rig.signedRun();
  expect(
    await rig.stack.admin.query(
      `SELECT w.spent_micros > 0 AS charged, EXISTS (SELECT FROM decide.price_tables t WHERE t.digest = d.price_table_digest) AS priced
       FROM decide.reservations w JOIN decide.decisions d USING (run_id, step, attempt) WHERE w.run_id = $1`,
      [uuidOf(run)],
    ),
  ).toEqual([{ charged: true, priced: false }]);
  expect(await resultOf(run)).toBe('verified');
});

it('a deadline moved for no hold: the judge takes an amendment as it was made, up to expires_at', async () => {
  const [moved, other] = [
    await sealedRun(rig.stack, rig.logins, { open: true }),
    await sealedRun(rig.stack, rig.logins, { open: true }),
  ];
  const amended = await rig.logins.decide.query(
    `SELECT finalize_due = (SELECT c.expires_at FROM audit.v_contracts c WHERE c.run_id = $1) AS last
     FROM audit.amend($1, 1, 1, 99, 'hold_opened', now(), now() + interval '300 days')`,
    [uuidOf(moved)],
  );
  expect(amended).toEqual([{ last: true }]);
  const judged = (run: RunId) => rig.stack.admin.query('SELECT status, findings FROM audit.rejudge($1)', [uuidOf(run)]);
  expect(await judged(moved)).toEqual(await judged(other));
});
