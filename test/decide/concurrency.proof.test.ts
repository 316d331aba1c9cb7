/** One ledger under four processes at once, on a real PostgreSQL. */
import { afterAll, afterEach, beforeAll, expect, it } from '@jest/globals';
import { randomUUID } from 'node:crypto';
import { canonicalJson } from '../../src/domain/canonical-json.js';
import { uuidOf } from '../../src/domain/ids.js';
import { proofSize } from '../proof-size.js';
import type { Job } from './ledger-process.js';
import { startLedgerProcesses, type LedgerProcesses } from './ledger-processes.js';
import { balances, budget, drift, openRun } from './ledger-rig.js';
import { createStepRig, modelCall, type StepRig } from './step-rig.js';

const PROCESSES = 4;
const churned = proofSize({ quick: 2_000, full: 100_000 });
const seed = Number(process.env['SEED'] ?? '20261124');

let rig: StepRig;
let processes: LedgerProcesses;
beforeAll(async () => {
  rig = await createStepRig();
  processes = startLedgerProcesses(rig.stack.urls, PROCESSES);
});
afterEach(async () => {
  expect(await drift(rig.decide)).toEqual([]);
});
afterAll(async () => {
  processes.end();
  await rig.close();
});

/** `count` reservations of `micros` against one tenant's cap, from four processes, each from runs of its own. */
async function racing(cap: number, micros: number, count: number) {
  const tenant = `t-${randomUUID()}`;
  await budget(rig.decide, 'tenant', tenant, cap);
  const jobs = await Promise.all(
    Array.from({ length: PROCESSES }, async (_, at): Promise<Job> => {
      const runs = await Promise.all([openRun(rig.decide, tenant), openRun(rig.decide, tenant)]);
      const mine = Math.floor((count + at) / PROCESSES);
      return {
        job: 'reserve',
        micros,
        at: Array.from({ length: mine }, (_, n) => [runs[n % 2] ?? '', n + 1] as const),
      };
    }),
  );
  const allowed = (await processes.all(jobs)) as readonly number[];
  const [rows] = await rig.decide.query<{ lines: bigint; entries: bigint }>(
    `SELECT (SELECT count(*) FROM decide.reservations w WHERE a.account_id = ANY (w.accounts)) AS lines,
      (SELECT count(*) FROM decide.journal j WHERE j.account_id = a.account_id AND j.op <> 'open') AS entries
    FROM decide.accounts a WHERE a.subject = $1`,
    [tenant],
  );
  const asked = jobs.reduce((sum, job) => sum + (job.job === 'reserve' ? job.at.length : 0), 0);
  return {
    asked,
    allowed: allowed.reduce((sum, one) => sum + one, 0),
    ...rows,
    ...(await balances(rig.decide, tenant)),
  };
}

it.each([
  ['a thousand of 1 against 50: exactly fifty', 50, 1, 1_000, 50],
  ['two of 0.6 against 1.0: one, and the other leaves no trace', 1_000_000, 600_000, 2, 1],
  ['ten of 100 against 1,000: all ten', 1_000, 100, 10, 10],
])('%s', async (_name, cap, micros, count, allowed) => {
  expect(await racing(cap, micros, count)).toEqual({
    asked: count,
    allowed,
    lines: BigInt(allowed),
    entries: BigInt(allowed),
    'tenant/usd_micros': { spent: 0n, reserved: BigInt(allowed * micros), over: 0n },
  });
});

it('the same key fifty times at once: one row, one answer', async () => {
  const { opened, caller } = await rig.open();
  const request = await modelCall(rig, opened.run, 1);
  const jobs = [13, 13, 12, 12].map((times): Job => ({ job: 'decide', caller, request, times }));
  const answers = (await processes.all(jobs)).flat() as { readonly runDeadlineInMs: number }[];
  expect(answers).toHaveLength(50);
  // How far the deadline is depends on when it was asked; nothing else may.
  const same = new Set(answers.map(({ runDeadlineInMs: _varies, ...answer }) => canonicalJson(answer)));
  expect([...same]).toEqual([expect.stringContaining('"effect":"allow"')]);
  for (const table of ['decisions', 'reservations'])
    expect(
      await rig.decide.query(`SELECT step, attempt FROM decide.${table} WHERE run_id = $1 AND step > 0`, [
        uuidOf(opened.run),
      ]),
    ).toEqual([{ step: 1, attempt: 1 }]);
  expect(await balances(rig.decide, uuidOf(opened.run))).toMatchObject({
    'run/usd_micros': { spent: 0n, reserved: 200n },
  });
});

it('a call on four accounts that the third refuses leaves the others as they were', async () => {
  const tenant = `t-${randomUUID()}`;
  const run = await openRun(rig.decide, tenant, { team: 'x' });
  await budget(rig.decide, 'run', run, 100);
  await budget(rig.decide, 'label', `${tenant}/team=x`, 100);
  await budget(rig.decide, 'agent', `${tenant}/clerk`, 59);
  await budget(rig.decide, 'tenant', tenant, 100);
  const [allowed] = await processes.all([{ job: 'reserve', at: [[run, 1]], micros: 60 }]);
  expect(allowed).toBe(0);
  const accounts = await rig.decide.query(
    `SELECT scope, spent + reserved + over AS used, warned_at FROM decide.accounts WHERE subject = ANY ($1) ORDER BY rank`,
    [[run, tenant, `${tenant}/team=x`, `${tenant}/clerk`]],
  );
  expect(accounts).toEqual(['run', 'label', 'agent', 'tenant'].map((scope) => ({ scope, used: 0n, warned_at: null })));
  expect(await rig.decide.query(`SELECT 1 FROM decide.journal WHERE run_id = $1`, [run])).toEqual([]);
});

it(`${churned.toLocaleString('en')} random settles and reserves, caps moving under them: no deadlock, nothing overspent`, async () => {
  const tenants = Array.from({ length: 3 }, () => `t-${randomUUID()}`);
  await budget(rig.decide, 'all', '', 100_000);
  const runs: string[] = [];
  for (const tenant of tenants) {
    await budget(rig.decide, 'tenant', tenant, 3_000);
    await budget(rig.decide, 'tenant', tenant, 3_000, 'tokens', 'day');
    await budget(rig.decide, 'agent', `${tenant}/clerk`, 2_500);
    for (const team of ['x', 'y']) await budget(rig.decide, 'label', `${tenant}/team=${team}`, 2_000);
    for (let at = 0; at < 12; at += 1) {
      const run = await openRun(rig.decide, tenant, { team: at % 2 === 0 ? 'x' : 'y', desk: 'z' });
      await budget(rig.decide, 'run', run, 500);
      await budget(rig.decide, 'run', run, 60, 'calls');
      runs.push(run);
    }
  }
  const before = await deadlocks();
  const churn = { going: true };
  // What is spent is spent: all caps in one statement, now with room above what is used, now below it.
  const moving = (async () => {
    for (let round = 1; churn.going; round += 1) {
      await rig.stack.admin.query(
        `UPDATE decide.budgets b SET cap = greatest(a.spent + a.reserved + a.over + CASE WHEN $1 % 3 = 0 THEN -50 ELSE
          CASE WHEN a.unit = 'calls' THEN 3 WHEN a.scope = 'run' THEN 150 ELSE 400 END END, 0)
        FROM decide.accounts a
        WHERE (a.scope, a.subject, a.unit, a.time_window) = (b.scope, b.subject, b.unit, b.time_window)`,
        [round],
      );
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  })();
  const jobs = Array.from({ length: PROCESSES }, (_, at): Job => ({
    job: 'churn',
    runs,
    count: churned / PROCESSES,
    lanes: 6,
    seed: seed + at,
  }));
  const done = (await processes.all(jobs)) as readonly {
    readonly allowed: number;
    readonly refused: number;
    readonly settled: number;
    readonly together: number;
    readonly spoiled: number;
    readonly errors: readonly string[];
  }[];
  churn.going = false;
  await moving;
  const sum = (count: (one: (typeof done)[number]) => number): number =>
    done.reduce((total, one) => total + count(one), 0);
  const total = {
    allowed: sum((one) => one.allowed),
    refused: sum((one) => one.refused),
    settled: sum((one) => one.settled),
    together: sum((one) => one.together),
    spoiled: sum((one) => one.spoiled),
  };
  process.stdout.write(`churn, seed ${seed}: ${JSON.stringify(total)}\n`);
  expect(done.flatMap(({ errors }) => errors)).toEqual([]);
  expect(await deadlocks()).toBe(before);
  expect(total.allowed + total.refused).toBe(churned);
  // It was neither all allowed nor all refused, and most of what was allowed was settled.
  for (const kind of ['allowed', 'refused', 'settled'] as const) expect(total[kind]).toBeGreaterThan(churned / 10);
  // Batches were granted, and batches were spoiled by one of them.
  for (const kind of ['together', 'spoiled'] as const) expect(total[kind]).toBeGreaterThan(churned / 200);
}, 300_000);

async function deadlocks(): Promise<bigint> {
  await rig.stack.admin.query('SELECT pg_stat_force_next_flush()');
  const [row] = await rig.stack.admin.query<{ deadlocks: bigint }>(
    'SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()',
  );
  return row?.deadlocks ?? -1n;
}
