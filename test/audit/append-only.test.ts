/** What is written stays: verdicts are revised for the worse only, and evidence is append-only for a superuser too. */
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { judgeDue } from '../../src/audit/judge/judge.js';
import type { OpenDatabase } from '../../src/platform/postgres/database.js';
import { createStack, type Stack } from '../stack/stack.js';
import { aRun, FINAL_ACK, INCIDENT_ACK, newRun, POLICY_ACK, TRACE_ACK } from './facts.js';
import { openAs, verdictsOf } from './judged.js';
import { plant } from './plant.js';

let stack: Stack;
let logins: Readonly<Record<'decide' | 'execute' | 'audit', OpenDatabase>>;
beforeAll(async () => {
  stack = await createStack();
  const [decide, execute, audit] = await Promise.all([
    openAs(stack, 'decide'),
    openAs(stack, 'execute'),
    openAs(stack, 'audit'),
  ]);
  logins = { decide, execute, audit };
});
afterAll(async () => {
  await Promise.all(Object.values(logins).map((login) => login.close()));
  await stack.drop();
});

const ack = (
  login: OpenDatabase,
  run: string,
  domain: string,
  action: string,
  status = 'done',
  evidence: object = { table: 'decide.runs' },
) =>
  login.query('SELECT audit.ack($1, $2, $3, $4, $5::jsonb) AS at', [
    run,
    domain,
    action,
    status,
    JSON.stringify(evidence),
  ]);
const declared = async (): Promise<string> => {
  const run = newRun();
  await logins.decide.query(`SELECT audit.declare($1, 'acme', 'desk', 'STANDARD', NULL)`, [run]);
  return run;
};

describe('a verdict', () => {
  const revisions = (run: string) =>
    stack.admin.query('SELECT revision, status FROM audit.verdicts WHERE run_id = $1 ORDER BY revision', [run]);
  it('never improves: a late finalize_run forgives nothing', async () => {
    const facts = aRun({ finalizeDueMs: -1_000, acks: [TRACE_ACK, POLICY_ACK] });
    await plant(stack.admin, [facts]);
    await judgeDue(logins.audit);
    await ack(logins.decide, facts.run, 'orchestrator', 'finalize_run');
    await judgeDue(logins.audit);
    expect(await revisions(facts.run)).toEqual([
      { revision: 1, status: 'STALE' },
      { revision: 2, status: 'STALE' },
    ]);
    const [last] = await verdictsOf(stack.admin, [facts.run]);
    expect(last?.findings.map(({ code, subject }) => `${code} ${subject}`)).toEqual([
      'LATE orchestrator/finalize_run',
      'MISSING orchestrator/finalize_run',
    ]);
  });
  it('worsens by an ack after it, which makes the run due again', async () => {
    const facts = aRun();
    await plant(stack.admin, [facts]);
    await judgeDue(logins.audit);
    await ack(logins.execute, facts.run, 'policies', 'evaluate_policy', 'rolled_back', {
      table: 'execute.evaluations',
    });
    await judgeDue(logins.audit);
    await ack(logins.execute, facts.run, 'policies', 'evaluate_policy', 'done', {
      table: 'execute.evaluations',
      again: 1,
    });
    await judgeDue(logins.audit);
    // The last ack adds no finding and takes none away, so there is nothing to write.
    expect(await revisions(facts.run)).toEqual([
      { revision: 1, status: 'COMPLETE' },
      { revision: 2, status: 'INCOMPLETE' },
    ]);
  });
  it('is revised for a refused history that came after it', async () => {
    const facts = aRun();
    await plant(stack.admin, [facts]);
    await judgeDue(logins.audit);
    await stack.admin.query(
      `INSERT INTO decide.refused_histories (workflow_id, temporal_run_id, run_id, code) VALUES ('rok/x', $1, $2, 'not_this_history')`,
      [newRun(), facts.run],
    );
    await logins.audit.query('SELECT audit.recall()');
    await judgeDue(logins.audit);
    expect((await verdictsOf(stack.admin, [facts.run]))[0]?.findings.map((one) => one.code)).toEqual([
      'REFUSED_HISTORY',
    ]);
  });
  it('is recalled in portions, and a run that somebody has locked holds up no other', async () => {
    const runs = Array.from({ length: 7 }, () => aRun());
    await plant(stack.admin, runs);
    await judgeDue(logins.audit);
    await logins.audit.query('SELECT audit.recall()');
    for (const { run } of runs)
      await stack.admin.query(
        `INSERT INTO decide.refused_histories (workflow_id, temporal_run_id, run_id, code) VALUES ('rok/x', $1, $2, 'not_this_history')`,
        [newRun(), run],
      );
    const due = async (): Promise<number> =>
      (
        await stack.admin.query(
          'SELECT FROM audit.contracts WHERE run_id = ANY ($1::uuid[]) AND judge_after IS NOT NULL',
          [runs.map(({ run }) => run)],
        )
      ).length;
    const recall = () => logins.audit.query('SELECT audit.recall(3)');
    await stack.admin.transaction(async (sql) => {
      await sql.query('SELECT FROM audit.contracts WHERE run_id = $1 FOR UPDATE', [runs[0]?.run]);
      // Before these there may be some of other tests.
      for (let portions = 0; portions < 10 && (await due()) < 3; portions += 1) {
        const before = await due();
        await recall();
        expect((await due()) - before).toBeLessThanOrEqual(3);
      }
      for (let portions = 0; portions < 10; portions += 1) await recall();
      expect(await due()).toBe(6);
    });
    // The next look begins where it was.
    for (let portions = 0; portions < 10; portions += 1) await recall();
    expect(await due()).toBe(7);
  });
  it('cannot be improved, skipped or written by hand', async () => {
    const facts = aRun({ acks: [TRACE_ACK, INCIDENT_ACK, FINAL_ACK] });
    await plant(stack.admin, [facts]);
    await judgeDue(logins.audit);
    const insert = `INSERT INTO audit.verdicts VALUES ($1, $2, 'COMPLETE', '[]', '{}', now())`;
    await expect(stack.admin.query(insert, [facts.run, 2])).rejects.toMatchObject({ code: '55000' });
    await expect(stack.admin.query(insert, [facts.run, 3])).rejects.toMatchObject({ code: '55000' });
    await expect(logins.audit.query(insert, [newRun(), 1])).rejects.toMatchObject({ code: '42501' });
    await expect(logins.decide.query(`SELECT * FROM audit.judge(NULL, 1)`)).rejects.toMatchObject({ code: '42501' });
  });
});

describe('append-only', () => {
  const evidence = [
    'acks',
    'amendments',
    'expectations',
    'verdicts',
    'receipts',
    'approval_checks',
    'trace_checks',
    'altered',
    'orphans',
  ];
  it.each(evidence)('audit.%s refuses UPDATE, DELETE and TRUNCATE, of a superuser too', async (table) => {
    const facts = aRun({ forged: ['u'], brokenSeqs: [1], altered: true });
    await plant(stack.admin, [facts]);
    await judgeDue(logins.audit);
    await logins.decide.query(`SELECT audit.amend($1, 1, 1, 1, 'hold_opened', now(), now() + interval '1 minute')`, [
      await declared(),
    ]);
    await logins.audit.query(`INSERT INTO audit.orphans (run_id, status) VALUES ($1, 'TERMINATED')`, [facts.run]);
    await stack.admin.query(`INSERT INTO audit.receipt_heads VALUES ('t', 0, sha256('')) ON CONFLICT DO NOTHING`);
    await stack.admin.query(
      `INSERT INTO audit.receipts (tenant, n, run_id, revision, jws, hash, prev) SELECT 't', coalesce(max(n), 0) + 1, $1, 1, 'x', sha256(''), sha256('') FROM audit.receipts`,
      [facts.run],
    );
    await expect(stack.admin.query(`UPDATE audit.${table} SET run_id = run_id`)).rejects.toMatchObject({
      code: '55000',
    });
    await expect(stack.admin.query(`DELETE FROM audit.${table}`)).rejects.toMatchObject({ code: '55000' });
    await expect(stack.admin.query(`TRUNCATE audit.${table} CASCADE`)).rejects.toMatchObject({ code: '55000' });
  });
  it('what a contract declared stands, whatever moves beside it', async () => {
    const run = await declared();
    await expect(
      stack.admin.query(`UPDATE audit.contracts SET expires_at = expires_at + interval '1 day' WHERE run_id = $1`, [
        run,
      ]),
    ).rejects.toMatchObject({ code: '55000' });
    await expect(
      stack.admin.query(`UPDATE audit.contracts SET bytes = 'x' WHERE run_id = $1`, [run]),
    ).rejects.toMatchObject({ code: '55000' });
    await expect(stack.admin.query('DELETE FROM audit.contracts')).rejects.toMatchObject({ code: '55000' });
    await expect(stack.admin.query('TRUNCATE audit.contracts CASCADE')).rejects.toMatchObject({ code: '55000' });
  });
});
