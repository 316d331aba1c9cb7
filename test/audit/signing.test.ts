/** The signer takes nobody's word: what its rows do not bear out is not signed, is said, and holds up nobody. */
import { afterAll, beforeAll, beforeEach, expect, it } from '@jest/globals';
import { closeRun } from '../../src/audit/judge/close.js';
import { signVerdicts, type Unsignable } from '../../src/audit/receipts/receipts.js';
import { sweep } from '../../src/audit/reconcile/reconciler.js';
import { bundleText } from '../../src/audit/evidence/evidence.js';
import { verifyBundle } from '../../src/audit/verify/verify.js';
import { uuidOf, type RunId } from '../../src/domain/ids.js';
import { createReceiptRig, type ReceiptRig } from './receipts-rig.js';
import { finish, sealedRun } from './sealed-run.js';

let rig: ReceiptRig;
let left: Unsignable[] = [];
beforeAll(async () => {
  rig = await createReceiptRig();
});
afterAll(() => rig.stop());
beforeEach(() => {
  left = [];
});

const sign = (): Promise<number> => signVerdicts(rig.logins.audit, rig.signer, (one) => left.push(one));
const judged = (run: RunId) => rig.logins.audit.query('SELECT * FROM audit.judge($1::uuid[], 1)', [[uuidOf(run)]]);
const receiptsOf = (run: RunId) =>
  rig.logins.audit.query('SELECT revision FROM audit.receipts WHERE run_id = $1 ORDER BY revision', [uuidOf(run)]);
/** As a superuser would: the table's own triggers list it for the signer. */
const forgeVerdict = (run: RunId, { status = 'COMPLETE', findings = '[]', revision = 1 } = {}) =>
  rig.stack.admin.query(
    `INSERT INTO audit.verdicts (run_id, revision, status, findings, facts, judged_at)
     SELECT $1, $2, $3, $4::jsonb, f.facts, clock_timestamp() FROM audit.facts(ARRAY[$1]::uuid[]) f`,
    [uuidOf(run), revision, status, findings],
  );

it('a verdict that somebody wrote for an open run is not signed, and that is said', async () => {
  const open = await sealedRun(rig.stack, rig.logins, { tenant: 'open', open: true });
  await forgeVerdict(open);
  const whole = await sealedRun(rig.stack, rig.logins, { tenant: 'open' });
  await judged(whole);
  expect(await sign()).toBe(1);
  expect(left).toEqual([{ run: open, revision: 1, why: 'nobody had finalized the run', due: false }]);
  expect([await receiptsOf(open), await receiptsOf(whole)]).toEqual([[], [{ revision: 1 }]]);
  expect(await closeRun(rig.deps, open)).toMatchObject({ status: 'COMPLETE', receipt: null });
});

it('a verdict that another judge wrote in the middle of a look of the close is signed by its next look', async () => {
  const run = await sealedRun(rig.stack, rig.logins, { tenant: 'raced' });
  let [locked, release] = [() => {}, () => {}];
  const isLocked = new Promise<void>((resolve) => (locked = resolve));
  const isReleased = new Promise<void>((resolve) => (release = resolve));
  const holding = rig.stack.admin.transaction(async (sql) => {
    await sql.query('SELECT FROM audit.contracts WHERE run_id = $1 FOR UPDATE', [uuidOf(run)]);
    locked();
    await isReleased;
  });
  await isLocked;
  const { audit } = rig.logins;
  const database: typeof audit = {
    ...audit,
    async query<R extends object>(text: string, values?: readonly unknown[]) {
      if (text.includes('AS due')) {
        release();
        await holding;
        await judged(run);
      }
      return audit.query<R>(text, values);
    },
  };
  expect(await closeRun({ ...rig.deps, database }, run)).toMatchObject({ status: 'COMPLETE', receipt: 1 });
});

it('a verdict better than the rows is not signed: the judge rules anew, and that is', async () => {
  const run = await sealedRun(rig.stack, rig.logins, { tenant: 'better' });
  await rig.stack.admin.transaction(async (sql) => {
    await sql.query('SET LOCAL session_replication_role = replica');
    await sql.query('DELETE FROM execute.evaluations WHERE run_id = $1', [uuidOf(run)]);
    await sql.query('UPDATE audit.contracts SET judge_after = NULL WHERE run_id = $1', [uuidOf(run)]);
  });
  await forgeVerdict(run);
  expect(await sign()).toBe(0);
  expect(left.filter((one) => one.run === run)).toMatchObject([
    { why: 'the rows come to INCOMPLETE now, not to COMPLETE', due: false },
  ]);
  await judged(run);
  expect(await sign()).toBe(1);
  expect(await receiptsOf(run)).toEqual([{ revision: 2 }]);
  expect(await verifyBundle(bundleText(await rig.bundleOf(run)), { jwks: rig.jwks })).toMatchObject({
    result: 'verified',
    receipt: { status: 'INCOMPLETE', revision: 2 },
  });
});

it('findings that are not those of the rows are not signed; nor is a stray that never was one', async () => {
  const run = await sealedRun(rig.stack, rig.logins, { tenant: 'fewer' });
  await rig.logins.execute.query(
    `SELECT audit.ack($1, 'incidents', 'create_incident', 'failed', '{"table":"execute.incident_occurrences"}')`,
    [uuidOf(run)],
  );
  await forgeVerdict(run, {
    status: 'INCOMPLETE',
    findings: '[{"code":"DRIFT","blocking":true,"subject":"a/b","detail":"c"}]',
  });
  const stray = 'run_00000000-0000-4000-8000-000000000007' as RunId;
  await rig.stack.admin.query(
    `INSERT INTO audit.verdicts VALUES ($1, 1, 'INCOMPLETE', '[{"code":"NO_CONTRACT","blocking":true,"subject":"x","detail":"y"}]', '{}', clock_timestamp())`,
    [uuidOf(stray)],
  );
  expect(await sign()).toBe(0);
  expect(left.map(({ run: of, why }) => [of, why])).toEqual(
    expect.arrayContaining([
      [run, 'the rows come to other findings now'],
      [stray, 'it has no contract, and is no stray that was judged so'],
    ]),
  );
});

it('news after the verdict is no offence: the next revision is signed', async () => {
  const run = await sealedRun(rig.stack, rig.logins, { tenant: 'news' });
  await judged(run);
  await rig.logins.execute.query(
    `SELECT audit.ack($1, 'policies', 'evaluate_policy', 'rolled_back', '{"table":"execute.evaluations"}')`,
    [uuidOf(run)],
  );
  await sign();
  expect(left.filter((one) => one.run === run)).toMatchObject([{ due: true }]);
  expect(await closeRun(rig.deps, run)).toMatchObject({ status: 'INCOMPLETE', revision: 2 });
  expect(await receiptsOf(run)).toEqual([{ revision: 2 }]);
});

it('one whose rows cannot be read holds up neither its chain nor another', async () => {
  const runs = [];
  for (const tenant of ['poison', 'poison', 'poison', 'pure']) {
    const run = await sealedRun(rig.stack, rig.logins, { tenant });
    await judged(run);
    runs.push(run);
  }
  const [first, bad, ...others] = runs;
  if (first === undefined || bad === undefined) throw new Error('no run');
  await rig.stack.admin.transaction(async (sql) => {
    await sql.query('SET LOCAL session_replication_role = replica');
    await sql.query(`UPDATE audit.verdicts SET findings = '[7]' WHERE run_id = $1`, [uuidOf(bad)]);
  });
  expect(await sign()).toBe(3);
  expect(left.filter((one) => one.run === bad)).toMatchObject([
    { due: false, why: expect.stringContaining('cannot be read') },
  ]);
  expect(await Promise.all([first, ...others].map(receiptsOf))).toEqual(Array(3).fill([{ revision: 1 }]));
});

it('a sweep says it and counts it', async () => {
  const run = await sealedRun(rig.stack, rig.logins, { tenant: 'said', open: true });
  await forgeVerdict(run);
  const said: object[] = [];
  let counted = -1;
  const nothing = (): void => undefined;
  await sweep({
    ...rig.deps,
    log: { info: nothing, warn: nothing, error: (fields) => said.push(fields) },
    measure: {
      judged: nothing,
      overdue: nothing,
      setAside: nothing,
      approvalsUncheckable: nothing,
      reconciled: nothing,
      notBorneOut: (count) => (counted = count),
    },
  });
  expect(said).toContainEqual({ run, why: 'nobody had finalized the run' });
  expect(counted).toBe(said.length);
  // It ends like any other, judged by its rows (its trace was never closed); what somebody wrote before has no receipt.
  await finish(rig.logins, uuidOf(run), 2);
  expect(await closeRun(rig.deps, run)).toMatchObject({ status: 'INCOMPLETE', revision: 2, receipt: 1 });
  expect(await receiptsOf(run)).toEqual([{ revision: 2 }]);
});
