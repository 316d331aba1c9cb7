/** One run that cannot be judged, for whatever reason, stops no other, and gets its verdict too. */
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { exportJWK, generateKeyPair } from 'jose';
import { judgeDue, judgeStrays } from '../../src/audit/judge/judge.js';
import { signVerdicts } from '../../src/audit/receipts/receipts.js';
import { tryAgain } from '../../src/audit/judge/set-aside.js';
import { createSigner, type Signer } from '../../src/audit/receipts/signer.js';
import type { OpenDatabase } from '../../src/platform/postgres/database.js';
import { createStack, type Stack } from '../stack/stack.js';
import { aFailedRun, aRun, newRun, TRACE_ACK, type RunFacts } from './facts.js';
import { openAs, verdictsOf } from './judged.js';
import { plant } from './plant.js';
import { mend, plantTrips, trip } from './trip.js';

let stack: Stack;
let audit: OpenDatabase;
let signer: Signer;
beforeAll(async () => {
  const { privateKey } = await generateKeyPair('EdDSA', { crv: 'Ed25519', extractable: true });
  signer = await createSigner({ ...(await exportJWK(privateKey)), kid: 'k' });
  stack = await createStack();
  audit = await openAs(stack, 'audit');
  await plantTrips(stack.admin);
});
afterAll(async () => {
  await audit.close();
  await stack.drop();
});
/** What an earlier test left due or set aside is not this one's. */
beforeEach(async () => {
  await stack.admin.query('DELETE FROM audit.set_aside');
  await stack.admin.query('UPDATE audit.contracts SET judge_after = NULL');
});

const complete = { status: 'COMPLETE', findings: [] };
const judgeError = (sqlstate: string) => ({
  code: 'JUDGE_ERROR',
  blocking: true,
  subject: 'judge',
  detail: `SQLSTATE ${sqlstate}`,
});
const incomplete = (sqlstate: string) => ({ status: 'INCOMPLETE', findings: [judgeError(sqlstate)] });
/** Nobody finalized it, and it is past its due time. */
const overdue = (): RunFacts =>
  aFailedRun({ finalizeDueMs: -1_000, phase: 'EXECUTING', outcome: null, acks: [TRACE_ACK] });
const runsOf = (facts: readonly RunFacts[]): readonly string[] => facts.map((one) => one.run);

async function tripped(facts: RunFacts, how: string): Promise<RunFacts> {
  await trip(stack.admin, facts.run, how);
  return facts;
}
/** In this order in the judge's page. */
async function plantInOrder(...pages: readonly (readonly RunFacts[])[]): Promise<void> {
  for (const page of pages) await plant(stack.admin, page);
  for (const [at, page] of pages.entries())
    await stack.admin.query(
      `UPDATE audit.contracts SET judge_after = '2020-01-01'::timestamptz + $2 * interval '1 day' WHERE run_id = ANY ($1::uuid[])`,
      [runsOf(page), at],
    );
}
const receiptsOf = (run: string) =>
  stack.admin.query<{ revision: number }>('SELECT revision FROM audit.receipts WHERE run_id = $1 ORDER BY revision', [
    run,
  ]);
const asideOf = (run: string) =>
  stack.admin.query<{ failures: number; sqlstate: string }>(
    'SELECT failures, sqlstate FROM audit.set_aside WHERE run_id = $1',
    [run],
  );
const itsTurn = (run: string) =>
  stack.admin.query(
    `UPDATE audit.set_aside SET first_at = first_at - interval '4 minutes', last_at = last_at - interval '3 minutes',
       next_at = clock_timestamp() WHERE run_id = $1`,
    [run],
  );

describe('runs that cannot be judged at the head of the page', () => {
  it('delay no other, whatever they fail with', async () => {
    const bad = [
      await tripped(aFailedRun(), '54000'),
      await tripped(aFailedRun(), 'XX001'),
      await tripped(aFailedRun(), 'sleep'),
      await tripped(aFailedRun(), '53200'),
      await tripped(aFailedRun(), 'kill'),
    ];
    const good = Array.from({ length: 700 }, () => aRun());
    await plantInOrder(bad, good);
    const failed: string[] = [];
    await judgeDue(audit, { failed: ({ run, sqlstate }) => failed.push(`${run} ${sqlstate}`) });
    expect(await verdictsOf(stack.admin, runsOf(good))).toEqual(good.map(() => complete));
    expect(await verdictsOf(stack.admin, runsOf(bad))).toEqual([
      incomplete('54000'),
      incomplete('XX001'),
      null,
      null,
      null,
    ]);
    expect(failed.sort()).toEqual(
      bad.map(({ run }, at) => `run_${run} ${['54000', 'XX001', '57014', '53200', '57P01'][at]}`).sort(),
    );
  }, 60_000);

  it('stand in no page any more, and are judged normally when they can be', async () => {
    const bad = await tripped(aFailedRun(), '57014');
    const good = aRun();
    await plantInOrder([bad], [good]);
    await judgeDue(audit);
    expect(await asideOf(bad.run)).toEqual([{ failures: 1, sqlstate: '57014' }]);
    expect(await judgeDue(audit)).toEqual([]);
    // Not its turn yet.
    expect(await tryAgain(audit, 'judged')).toEqual([]);
    expect(await asideOf(bad.run)).toEqual([{ failures: 1, sqlstate: '57014' }]);
    await mend(stack.admin, bad.run);
    await itsTurn(bad.run);
    await tryAgain(audit, 'judged');
    expect(await verdictsOf(stack.admin, [bad.run, good.run])).toEqual([complete, complete]);
    expect(await asideOf(bad.run)).toEqual([]);
  });

  it('are tried at once when something new is known of them', async () => {
    const bad = await tripped(aFailedRun(), '57014');
    await plantInOrder([bad], [aRun()]);
    await judgeDue(audit);
    await mend(stack.admin, bad.run);
    await stack.admin.query('UPDATE audit.contracts SET judge_after = clock_timestamp() WHERE run_id = $1', [bad.run]);
    await tryAgain(audit, 'unknown');
    expect(await verdictsOf(stack.admin, [bad.run])).toEqual([complete]);
  });

  it('are ruled STALE at once when they are past their due time, and keep their other findings for later', async () => {
    const bad = await tripped(overdue(), '57014');
    await plantInOrder([bad], [aRun()]);
    await judgeDue(audit);
    await signVerdicts(audit, signer);
    expect(await receiptsOf(bad.run)).toEqual([{ revision: 1 }]);
    const [stale] = await verdictsOf(stack.admin, [bad.run]);
    expect(stale?.status).toBe('STALE');
    expect(stale?.findings.map(({ code, subject }) => `${code} ${subject}`)).toEqual([
      'MISSING orchestrator/finalize_run',
    ]);
    await mend(stack.admin, bad.run);
    await itsTurn(bad.run);
    await tryAgain(audit, 'judged');
    const [whole] = await verdictsOf(stack.admin, [bad.run]);
    expect(whole?.status).toBe('STALE');
    expect(whole?.findings).toEqual(expect.arrayContaining([...(stale?.findings ?? [])]));
    expect(whole?.findings.length).toBeGreaterThan(1);
  });

  it('are ruled STALE when they come to be past their due time while they are set aside', async () => {
    const bad = await tripped(overdue(), '57014');
    await plantInOrder([bad], [aRun()]);
    await stack.admin.query(`UPDATE audit.contracts SET finalize_due = expires_at WHERE run_id = $1`, [bad.run]);
    await judgeDue(audit);
    expect(await verdictsOf(stack.admin, [bad.run])).toEqual([null]);
    await stack.admin.query(
      `UPDATE audit.contracts SET finalize_due = clock_timestamp(), judge_after = clock_timestamp() WHERE run_id = $1`,
      [bad.run],
    );
    await tryAgain(audit, 'unknown').catch(() => []);
    expect((await verdictsOf(stack.admin, [bad.run]))[0]?.status).toBe('STALE');
  });
});

describe('an error that trying again might cure', () => {
  it('is JUDGE_ERROR after five failures alone over ten minutes, and not before', async () => {
    const bad = await tripped(aFailedRun(), '57014');
    await plantInOrder([bad], [aRun()]);
    await judgeDue(audit);
    for (let failures = 2; failures <= 5; failures += 1) {
      expect(await verdictsOf(stack.admin, [bad.run])).toEqual([null]);
      await itsTurn(bad.run);
      await tryAgain(audit, 'judged');
      expect(await asideOf(bad.run)).toEqual([{ failures, sqlstate: '57014' }]);
    }
    expect(await verdictsOf(stack.admin, [bad.run])).toEqual([incomplete('57014')]);
    // Said once.
    await stack.admin.query('UPDATE audit.contracts SET judge_after = clock_timestamp() WHERE run_id = $1', [bad.run]);
    expect((await tryAgain(audit, 'judged')).filter((one) => one.written)).toEqual([]);
  });

  it('of a full disk makes no run INCOMPLETE while no verdict can be written', async () => {
    await plantInOrder([aRun()]);
    await judgeDue(audit);
    const runs = [await tripped(aFailedRun(), '53100'), await tripped(aFailedRun(), '53100')];
    await plantInOrder(runs);
    for (let sweep = 0; sweep < 6; sweep += 1) await expect(judgeDue(audit)).rejects.toMatchObject({ code: '53100' });
    expect(await stack.admin.query('SELECT FROM audit.set_aside')).toEqual([]);
    for (const { run } of runs) await mend(stack.admin, run);
    await judgeDue(audit);
    expect(await verdictsOf(stack.admin, runsOf(runs))).toEqual([complete, complete]);
  });

  it('of all runs is nobody’s fault: none is set aside, and all are judged when it is over', async () => {
    const runs = [aRun(), aRun(), aRun()];
    await plantInOrder(runs);
    await stack.admin.query('ALTER VIEW observe.v_heads RENAME TO v_gone');
    try {
      await expect(judgeDue(audit)).rejects.toMatchObject({ code: '42P01' });
      expect(await stack.admin.query('SELECT FROM audit.set_aside')).toEqual([]);
    } finally {
      await stack.admin.query('ALTER VIEW observe.v_gone RENAME TO v_heads');
    }
    await judgeDue(audit);
    expect(await verdictsOf(stack.admin, runsOf(runs))).toEqual([complete, complete, complete]);
  });
});

it('a run with 30,000 refused histories of 10 kB each delays no other, and is judged', async () => {
  const bad = aRun();
  const good = Array.from({ length: 300 }, () => aRun());
  await plantInOrder([bad], good);
  await stack.admin.transaction(async (sql) => {
    await sql.query('SET LOCAL session_replication_role = replica');
    await sql.query(
      'ALTER TABLE decide.refused_histories DROP CONSTRAINT IF EXISTS refused_histories_temporal_run_id_check',
    );
    await sql.query('DROP INDEX IF EXISTS decide.refused_histories_by_run');
    await sql.query('ALTER TABLE decide.refused_histories DROP CONSTRAINT refused_histories_pkey');
    await sql.query(
      `INSERT INTO decide.refused_histories (workflow_id, temporal_run_id, run_id, code)
       SELECT 'rok/other', n || repeat('x', 10000), $1, 'not_this_history' FROM generate_series(1, 30000) n`,
      [bad.run],
    );
  });
  await judgeDue(audit);
  expect(await verdictsOf(stack.admin, runsOf(good))).toEqual(good.map(() => complete));
}, 120_000);

it('a stray that cannot be judged delays no other, and is signed', async () => {
  await plantInOrder([aRun()]);
  await judgeDue(audit);
  const strays = [newRun(), newRun(), newRun()];
  await stack.admin.query(
    `INSERT INTO audit.strays (workflow_id, temporal_run_id, run_id, started_at, due_at)
     SELECT 'rok/acme/' || r, r, r::uuid, clock_timestamp(), clock_timestamp() FROM unnest($1::text[]) r`,
    [strays],
  );
  await trip(stack.admin, strays[1] ?? '', '54000');
  await stack.admin.query('ALTER VIEW decide.v_refused_histories RENAME TO v_kept');
  await stack.admin.query(
    `CREATE VIEW decide.v_refused_histories AS SELECT * FROM decide.v_kept
     UNION ALL SELECT s.workflow_id, s.temporal_run_id, s.run_id, 'none', now() FROM audit.strays s WHERE NOT trip.over(s.run_id)`,
  );
  await stack.admin.query('GRANT SELECT ON decide.v_refused_histories TO rok_audit_owner');
  try {
    await judgeStrays(audit);
  } finally {
    await stack.admin.query('DROP VIEW decide.v_refused_histories');
    await stack.admin.query('ALTER VIEW decide.v_kept RENAME TO v_refused_histories');
  }
  const codes = (await verdictsOf(stack.admin, strays)).map((verdict) => verdict?.findings.map(({ code }) => code));
  expect(codes).toEqual([['NO_CONTRACT'], ['JUDGE_ERROR'], ['NO_CONTRACT']]);
  await signVerdicts(audit, signer);
  for (const stray of strays) expect(await receiptsOf(stray)).toEqual([{ revision: 1 }]);
});
