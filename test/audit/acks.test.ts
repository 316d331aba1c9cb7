/** Acks that are missing, foreign, swapped, empty, of another run, or in the very moment of the due time: each whole verdict. */
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { judgeDue } from '../../src/audit/judge/judge.js';
import type { OpenDatabase } from '../../src/platform/postgres/database.js';
import { createStack, type Stack } from '../stack/stack.js';
import { aFailedRun, aRun, FINAL_ACK, newRun, POLICY_ACK, TRACE_ACK, type RunFacts } from './facts.js';
import { openAs, verdictsOf } from './judged.js';
import { plant } from './plant.js';

let stack: Stack;
let audit: OpenDatabase;
let decide: OpenDatabase;
beforeAll(async () => {
  stack = await createStack();
  [audit, decide] = await Promise.all([openAs(stack, 'audit'), openAs(stack, 'decide')]);
  await stack.admin.query(
    `INSERT INTO audit.terms VALUES ('hasty', '*', '400 milliseconds', '200 milliseconds', '1 day')`,
  );
});
afterAll(async () => {
  await Promise.all([audit.close(), decide.close()]);
  await stack.drop();
});

const any = expect.any(String) as unknown as string;
const found = (code: string, subject: string, detail: string = any) => ({ code, blocking: true, subject, detail });

async function judge(all: readonly RunFacts[]) {
  await plant(stack.admin, all);
  await judgeDue(audit);
  return verdictsOf(
    stack.admin,
    all.map((one) => one.run),
  );
}

const neverClosed = (over: Partial<RunFacts> = {}): RunFacts =>
  aRun({
    finalizeDueMs: -1_000,
    phase: 'EXECUTING',
    outcome: null,
    acks: [TRACE_ACK, POLICY_ACK],
    evaluation: { outcome: 'succeeded', kind: 'run.outcome' },
    ...over,
  });
const HOLLOW_POLICY = found(
  'HOLLOW',
  'policies/evaluate_policy',
  'ack 2: the evaluation says succeeded, the run nothing',
);

it('of five runs past their due time three never acknowledge finalize_run: exactly those three are STALE', async () => {
  const all = [aRun(), neverClosed(), neverClosed(), aRun(), neverClosed()].map((one) => ({
    ...one,
    finalizeDueMs: -1_000,
  }));
  const stale = { status: 'STALE', findings: [HOLLOW_POLICY, found('MISSING', 'orchestrator/finalize_run')] };
  const complete = { status: 'COMPLETE', findings: [] };
  expect(await judge(all)).toEqual([complete, stale, stale, complete, stale]);
});

it('zero acks: STALE, and every promise that holds is MISSING', async () => {
  const facts = neverClosed({ acks: [], evaluation: null });
  expect(await judge([facts])).toEqual([
    {
      status: 'STALE',
      findings: [
        found('MISSING', 'logs/start_trace'),
        found('MISSING', 'orchestrator/finalize_run'),
        found('MISSING', 'policies/evaluate_policy'),
      ],
    },
  ]);
});

it('foreign acks are refused and change nothing of the verdict: as zero acks', async () => {
  const facts = neverClosed({ acks: [], evaluation: null });
  const twin = neverClosed({ acks: [], evaluation: null });
  await plant(stack.admin, [facts, twin]);
  const foreign = [
    ['logs', 'start_trace'],
    ['policies', 'evaluate_policy'],
    ['incidents', 'create_incident'],
    ['orchestrator', 'finalize_run'],
  ] as const;
  for (const [domain, action] of foreign)
    await expect(
      audit.query('SELECT audit.ack($1, $2, $3, $4, $5)', [facts.run, domain, action, 'done', '{}']),
    ).rejects.toMatchObject({ code: '42501' });
  await judgeDue(audit);
  const [one, other] = await verdictsOf(stack.admin, [facts.run, twin.run]);
  expect(one?.status).toBe('STALE');
  expect(one?.findings.map(({ code, subject }) => [code, subject])).toEqual(
    other?.findings.map(({ code, subject }) => [code, subject]),
  );
});

it("two runs' acks swapped: what one did does not stand for the other", async () => {
  const [good, bad] = [aRun(), aFailedRun()];
  expect(
    await judge([
      { ...good, acks: bad.acks },
      { ...bad, acks: good.acks },
    ]),
  ).toEqual([
    { status: 'INCOMPLETE', findings: [found('HOLLOW', 'incidents/create_incident', 'ack 3: no incident')] },
    { status: 'INCOMPLETE', findings: [found('MISSING', 'incidents/create_incident')] },
  ]);
});

it('an ack without evidence is HOLLOW', async () => {
  expect(await judge([aRun({ acks: [TRACE_ACK, { ...POLICY_ACK, evidence: {} }, FINAL_ACK] })])).toEqual([
    {
      status: 'INCOMPLETE',
      findings: [
        found('HOLLOW', 'policies/evaluate_policy', 'ack 2: the evidence is not a row of execute.evaluations'),
      ],
    },
  ]);
});

it('evidence that names another run is HOLLOW, whose row there is; that names its own is not', async () => {
  const [one, other] = [newRun(), newRun()];
  const naming = (run: string) => ({ ...POLICY_ACK, evidence: { table: 'execute.evaluations', run: `run_${run}` } });
  expect(
    await judge([
      aRun({ run: one, acks: [TRACE_ACK, naming(other), FINAL_ACK] }),
      aRun({ run: other, acks: [TRACE_ACK, naming(other), FINAL_ACK] }),
    ]),
  ).toEqual([
    {
      status: 'INCOMPLETE',
      findings: [found('HOLLOW', 'policies/evaluate_policy', "ack 2: the evidence is another run's")],
    },
    { status: 'COMPLETE', findings: [] },
  ]);
});

it('an ack in time whose commit is slow: the run is not judged before it, and not STALE after it', async () => {
  const run = newRun();
  const [declared] = await decide.query<{ finalize_due: string }>(
    `SELECT finalize_due FROM audit.declare($1, 'hasty', 'desk', 'STANDARD', NULL)`,
    [run],
  );
  const due = Date.parse(declared?.finalize_due ?? '');
  await decide.transaction(async (sql) => {
    await sql.query(`SELECT audit.ack($1, 'orchestrator', 'finalize_run', 'done', '{"table":"decide.runs"}')`, [run]);
    while (Date.now() < due + 150) {
      await judgeDue(audit);
      await sleep(20);
    }
    expect(await verdictsOf(stack.admin, [run])).toEqual([null]);
  });
  await judgeDue(audit);
  const [verdict] = await verdictsOf(stack.admin, [run]);
  expect(verdict?.status).toBe('INCOMPLETE');
  expect(verdict?.findings.map(({ code, subject }) => `${code} ${subject}`)).toEqual([
    'HOLLOW orchestrator/finalize_run',
    'MISSING logs/start_trace',
    'MISSING policies/evaluate_policy',
    'TRACE_BROKEN trace',
  ]);
});

it('an ack in the millisecond of the due time is in time, one a millisecond later is not', async () => {
  const at = (atMs: number) => aRun({ finalizeDueMs: -2_000, acks: [TRACE_ACK, POLICY_ACK, { ...FINAL_ACK, atMs }] });
  expect(await judge([at(-2_000), at(-1_999)])).toEqual([
    { status: 'COMPLETE', findings: [] },
    { status: 'STALE', findings: [found('LATE', 'orchestrator/finalize_run')] },
  ]);
});
