/** The contract: declared once, acknowledged by whose domain it is, amended within its life; nothing of it can be undone. */
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { contractDigest, parseContract } from '../../src/audit/evidence/contract.js';
import { judgeDue } from '../../src/audit/judge/judge.js';
import { canonicalJson } from '../../src/domain/canonical-json.js';
import type { Json } from '../../src/domain/json.js';
import type { OpenDatabase } from '../../src/platform/postgres/database.js';
import { createStack, type Stack } from '../stack/stack.js';
import { aRun, FOUR, newRun } from './facts.js';
import { openAs, verdictsOf } from './judged.js';
import { plant } from './plant.js';

let stack: Stack;
let logins: Readonly<Record<'decide' | 'execute' | 'observe' | 'audit' | 'read', OpenDatabase>>;
beforeAll(async () => {
  stack = await createStack();
  const [decide, execute, observe, audit, read] = await Promise.all([
    openAs(stack, 'decide'),
    openAs(stack, 'execute'),
    openAs(stack, 'observe'),
    openAs(stack, 'audit'),
    openAs(stack, 'read'),
  ]);
  logins = { decide, execute, observe, audit, read };
});
afterAll(async () => {
  await Promise.all(Object.values(logins).map((login) => login.close()));
  await stack.drop();
});

type Declared = {
  readonly digest: string;
  readonly run_deadline: string;
  readonly finalize_due: string;
  readonly expires_at: string;
};
const declare = async (
  run: string,
  asked: string | null = null,
  tenant = 'acme',
  agent = 'desk',
): Promise<Declared> => {
  const [row] = await logins.decide.query<Declared>(
    `SELECT encode(digest, 'hex') AS digest, run_deadline, finalize_due, expires_at FROM audit.declare($1, $2, $3, 'STANDARD', $4)`,
    [run, tenant, agent, asked],
  );
  if (row === undefined) throw new Error('nothing was declared');
  return row;
};
const ack = (
  login: OpenDatabase,
  run: string,
  domain: string,
  action: string,
  status = 'done',
  evidence: object = { table: 'decide.runs' },
) =>
  login.query<{ at: string }>('SELECT audit.ack($1, $2, $3, $4, $5::jsonb) AS at', [
    run,
    domain,
    action,
    status,
    JSON.stringify(evidence),
  ]);
const seconds = (from: string, to: string): number => Math.round((Date.parse(to) - Date.parse(from)) / 1000);

describe('declaring', () => {
  it('stores canonical bytes whose digest anyone can compute', async () => {
    const run = newRun();
    const declared = await declare(run, null, 'acme "quoted" \u0007 ü', 'desk');
    const [row] = await stack.admin.query<{ bytes: string }>(
      `SELECT convert_from(bytes, 'UTF8') AS bytes FROM audit.contracts WHERE run_id = $1`,
      [run],
    );
    const contract = parseContract(row?.bytes ?? '');
    expect(contractDigest(row?.bytes ?? '')).toBe(declared.digest);
    expect(canonicalJson(contract as unknown as Json)).toBe(row?.bytes);
    expect(
      contract?.expectations.map(({ domain, action, condition, due }) => `${domain}/${action} ${condition} ${due}`),
    ).toEqual([
      'incidents/create_incident if_failed finalize',
      'policies/evaluate_policy always finalize',
      'orchestrator/finalize_run always finalize',
      'logs/start_trace always open',
    ]);
    expect({ ...contract, declaredAt: '', expectations: [] }).toEqual({
      version: 1,
      run: `run_${run}`,
      tenant: 'acme "quoted" \u0007 ü',
      agent: 'desk',
      profile: 'STANDARD',
      declaredAt: '',
      runDeadline: declared.run_deadline,
      finalizeDue: declared.finalize_due,
      expiresAt: declared.expires_at,
      expectations: [],
    });
  });
  it('lets a deadline shorten and never lengthen, and answers the same again', async () => {
    const [short, long] = [newRun(), newRun()];
    const soon = new Date(Date.now() + 5_000).toISOString();
    expect(seconds(soon, (await declare(short, soon)).run_deadline)).toBe(0);
    expect(await declare(short, null)).toEqual(await declare(short, soon));
    const far = await declare(long, new Date(Date.now() + 86_400_000).toISOString());
    expect(Math.abs(seconds(new Date().toISOString(), far.run_deadline) - 3_600)).toBeLessThan(5);
    expect(seconds(far.run_deadline, far.finalize_due)).toBe(60);
  });
  it('takes the most specific terms and templates', async () => {
    await stack.admin.query(
      `INSERT INTO audit.terms VALUES ('globex', '*', '10 seconds', '5 seconds', '1 day'), ('globex', 'desk', '20 seconds', '5 seconds', '1 day')`,
    );
    await stack.admin.query(
      `INSERT INTO audit.templates (name, tenant, domain, action, condition, due, due_after) VALUES ('globex-logs', 'globex', 'logs', 'start_trace', 'always', 'open', '7 seconds')`,
    );
    const run = newRun();
    const declared = await declare(run, null, 'globex');
    expect(seconds(declared.run_deadline, declared.finalize_due)).toBe(5);
    const rows = await stack.admin.query(
      `SELECT extract(epoch FROM e.due_at - c.declared_at)::int AS after FROM audit.v_expectations e JOIN audit.contracts c USING (run_id) WHERE run_id = $1 AND action = 'start_trace'`,
      [run],
    );
    expect(rows).toEqual([{ after: 7 }]);
  });
  it("takes an expectation of one's own by registration: missing without its ack, kept with it", async () => {
    await stack.admin.query(
      `INSERT INTO audit.templates (name, tenant, agent, domain, action, condition, due, due_after)
       VALUES ('summary-mailed', 'initech', 'refund-desk', 'policies', 'mail_summary', 'always', 'finalize', '0')`,
    );
    const [own, others] = [newRun(), newRun()];
    await declare(own, null, 'initech', 'refund-desk');
    await declare(others, null, 'initech', 'desk');
    const promised = (run: string) =>
      stack.admin.query<{ action: string }>('SELECT action FROM audit.v_expectations WHERE run_id = $1 ORDER BY n', [
        run,
      ]);
    expect((await promised(own)).map((one) => one.action)).toContain('mail_summary');
    expect((await promised(others)).map((one) => one.action)).not.toContain('mail_summary');

    const summary = {
      domain: 'policies',
      action: 'mail_summary',
      condition: 'always',
      due: 'finalize',
      dueMs: 0,
    } as const;
    const [kept, missed] = [aRun(), aRun()].map((one) => ({ ...one, expectations: [...FOUR, summary] }));
    if (kept === undefined || missed === undefined) throw new Error('two were made');
    await plant(stack.admin, [kept, missed]);
    await ack(logins.execute, kept.run, 'policies', 'mail_summary', 'done', { table: 'execute.evaluations' });
    await judgeDue(logins.audit);
    const verdicts = await verdictsOf(stack.admin, [kept.run, missed.run]);
    expect(verdicts.map((one) => one?.status)).toEqual(['COMPLETE', 'INCOMPLETE']);
    expect(verdicts[1]?.findings.map(({ code, subject }) => [code, subject])).toEqual([
      ['MISSING', 'policies/mail_summary'],
    ]);
  });
  it('refuses an expectation without a due time, after the end, or of finalize_run with a condition', async () => {
    const insert = `INSERT INTO audit.templates (name, domain, action, condition, due, due_after) VALUES ('own', 'policies', $1, $2, $3, $4)`;
    for (const [values, code] of [
      [['mail_summary', 'always', 'open', null], '23502'],
      [['mail_summary', 'always', null, '0'], '23502'],
      [['mail_summary', 'always', 'never', '0'], '23514'],
      [['mail_summary', 'always', 'finalize', '1 second'], '23514'],
      [['finalize_run', 'if_failed', 'finalize', '0'], '23514'],
    ] as const)
      await expect(stack.admin.query(insert, values)).rejects.toMatchObject({ code });
    const run = newRun();
    await declare(run);
    await expect(
      stack.admin.query(
        `INSERT INTO audit.expectations (run_id, n, domain, action, condition, due, due_at) VALUES ($1, 9, 'logs', 'own', 'always', 'open', NULL)`,
        [run],
      ),
    ).rejects.toMatchObject({ code: '23502' });
  });
  it("is the deciders' alone", async () => {
    for (const login of [logins.execute, logins.observe, logins.audit, logins.read])
      await expect(
        login.query(`SELECT audit.declare(gen_random_uuid(), 'acme', 'desk', 'STANDARD', NULL)`),
      ).rejects.toMatchObject({ code: '42501' });
  });
});

describe('acknowledging', () => {
  it('is refused in a domain of another power, and for an unknown run', async () => {
    const run = newRun();
    await declare(run);
    const foreign: readonly (readonly [OpenDatabase, string])[] = [
      [logins.execute, 'orchestrator'],
      [logins.execute, 'logs'],
      [logins.observe, 'policies'],
      [logins.observe, 'orchestrator'],
      [logins.decide, 'logs'],
      [logins.decide, 'incidents'],
      [logins.audit, 'orchestrator'],
      [logins.read, 'logs'],
      [logins.decide, 'anything'],
      [stack.admin, 'orchestrator'],
    ];
    for (const [login, domain] of foreign)
      await expect(ack(login, run, domain, 'finalize_run')).rejects.toMatchObject({ code: '42501' });
    await expect(ack(logins.decide, newRun(), 'orchestrator', 'finalize_run')).rejects.toMatchObject({ code: 'P0002' });
    expect(await stack.admin.query('SELECT n FROM audit.acks WHERE run_id = $1', [run])).toEqual([]);
  });
  it('the same again is a no-op; a different one is kept beside the first', async () => {
    const run = newRun();
    await declare(run);
    const first = await ack(logins.execute, run, 'policies', 'evaluate_policy', 'done', {
      table: 'execute.evaluations',
    });
    expect(
      await ack(logins.execute, run, 'policies', 'evaluate_policy', 'done', { table: 'execute.evaluations' }),
    ).toEqual(first);
    await ack(logins.execute, run, 'policies', 'evaluate_policy', 'failed', { table: 'execute.evaluations' });
    expect(await stack.admin.query('SELECT n, status, by FROM audit.acks WHERE run_id = $1 ORDER BY n', [run])).toEqual(
      [
        { n: 1, status: 'done', by: 'rok_execute' },
        { n: 2, status: 'failed', by: 'rok_execute' },
      ],
    );
  });
  it("is stamped after the contract's lock was given, not when it was asked for", async () => {
    const run = newRun();
    await declare(run);
    let released = '';
    const acked = await stack.admin.transaction(async (sql) => {
      await sql.query('SELECT FROM audit.contracts WHERE run_id = $1 FOR NO KEY UPDATE', [run]);
      const waiting = ack(logins.decide, run, 'orchestrator', 'finalize_run');
      const blocked = `SELECT FROM pg_stat_activity WHERE usename = 'rok_decide' AND wait_event_type = 'Lock' AND datname = current_database()`;
      while ((await stack.admin.query(blocked)).length === 0) await new Promise((resolve) => setTimeout(resolve, 10));
      released = (await sql.query<{ at: string }>('SELECT clock_timestamp() AS at'))[0]?.at ?? '';
      return { waiting };
    });
    const [row] = await acked.waiting;
    expect((row?.at ?? '') > released).toBe(true);
  });
  it('a contract that an ack holds is skipped, and judged the next time', async () => {
    const facts = aRun();
    await plant(stack.admin, [facts]);
    await stack.admin.transaction(async (sql) => {
      await sql.query('SELECT FROM audit.contracts WHERE run_id = $1 FOR NO KEY UPDATE', [facts.run]);
      await judgeDue(logins.audit);
      expect(await verdictsOf(stack.admin, [facts.run])).toEqual([null]);
    });
    await judgeDue(logins.audit);
    expect(await verdictsOf(stack.admin, [facts.run])).toEqual([{ status: 'COMPLETE', findings: [] }]);
  });
});
