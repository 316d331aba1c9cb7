/** Every decision of real runs, shown and decided again from what was stored; and what was changed since is found. */
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { rm } from 'node:fs/promises';
import { runIdOf } from '../../src/domain/ids.js';
import { temporaryFolder } from '../stack/servers.js';
import { deploymentIn, look, refund } from './deployment.js';
import { createRig, eventually, saying, type Rig, type Said } from './rig.js';

const many = Array.from({ length: 7 }, () => ({ calls: [look()] }));
const AGENTS = {
  refunder: { turns: [{ calls: [refund(100), refund(20_000), refund(200_000), look()] }, {}] },
  circler: { turns: [...many, {}], limits: { noProgress: 3 } },
  poor: { turns: [{ calls: [look()] }, {}], limits: { usd: '0.000100' } },
  // Long enough for a busy machine to halt it before its next step.
  stopped: { turns: [{ calls: [look()], latencyMs: 6_000 }, {}] },
  late: { turns: [{ calls: [look()] }, {}], limits: { steps: 1 } },
  hurried: { turns: [{ calls: [look(), look()] }, {}] },
};
const POLICIES = {
  'default.cedar': `@id("all") permit (principal, action, resource);
    @id("ceiling") @reason("too much") forbid (principal, action == Action::"skill.call", resource == Skill::"orders.refund")
      when { context.arguments.amount_cents > 100000 };
    @id("large") @effect("pause") @authority("finance") forbid (principal, action == Action::"skill.call", resource == Skill::"orders.refund")
      when { context.arguments.amount_cents > 10000 };
    @id("trial") @mode("shadow") forbid (principal, action == Action::"skill.call", resource == Skill::"orders.lookup");`,
};

type Row = {
  readonly run_id: string;
  readonly step: number;
  readonly attempt: number;
  readonly effect: string;
  readonly said: string;
};

let rig: Rig;
let folder: string;
beforeAll(async () => {
  folder = await temporaryFolder('decisions');
  rig = await createRig({ env: await deploymentIn(folder, AGENTS, POLICIES) });
}, 60_000);
afterAll(async () => {
  await rig.stop();
  await rm(folder, { recursive: true, force: true });
});

const start = async (agent: string, ...more: readonly string[]): Promise<string> => {
  const { code, out, err } = await rig.rok(
    'run',
    'start',
    agent,
    '--input',
    'go',
    '--as',
    'alice',
    '--tenant',
    'acme',
    ...more,
  );
  expect({ code, err }).toMatchObject({ code: 0 });
  return out.trim();
};
const held = (run: string) =>
  eventually(async () => {
    const [row] = await rig.stack.admin.query<{ digest: string }>(
      'SELECT action_digest AS digest FROM decide.holds WHERE run_id = $1 AND resolved_at IS NULL',
      [run.slice(4)],
    );
    return row?.digest;
  });
const decisions = () =>
  rig.stack.admin.query<Row>(
    `SELECT run_id, step, attempt, effect, coalesce(body ->> 'reasons', '') || coalesce(body ->> 'notices', '') AS said
    FROM decide.decisions ORDER BY run_id, step, attempt`,
  );
const show = (row: Row, ...more: readonly string[]) =>
  rig.rok('decision', 'show', runIdOf(row.run_id), `${row.step}.${row.attempt}`, ...more);

async function everyKind(): Promise<void> {
  await rig.stack.admin.query(
    `INSERT INTO decide.rate_limits (scope, subject, enforcement, calls, period_s, burst) VALUES ('agent', 'acme/hurried', 'hard', 2, 3600, 2)`,
  );
  const [asking, circling, stopped] = [await start('refunder'), await start('circler'), await start('stopped')];
  const ended = [await start('poor'), await start('late'), await start('hurried'), asking, stopped, circling];
  await eventually(async () => {
    const [row] = await rig.stack.admin.query('SELECT 1 FROM execute.attempts WHERE run_id = $1', [stopped.slice(4)]);
    return row;
  });
  const operator = ['--as', 'olga', '--role', 'operator'];
  expect(await rig.rok('halt', 'set', 'agent', 'acme/stopped', '--reason', 'a drill', ...operator)).toMatchObject({
    code: 0,
  });
  const finance = ['--as', 'fay', '--role', 'approver:finance'];
  expect(await rig.rok('approval', 'approve', asking, '--digest', await held(asking), ...finance)).toMatchObject({
    code: 0,
  });
  expect(await rig.rok('approval', 'reject', circling, '--digest', await held(circling), ...operator)).toMatchObject({
    code: 0,
  });
  for (const run of ended) await rig.rok('run', 'wait', run, '--timeout', '30s');
}

describe('rok decision show', () => {
  it('given runs that were allowed, denied, held, shadowed, broke, stuck, hurried and halted, recomputes every decision as it was', async () => {
    await everyKind();
    const rows = await decisions();
    expect(new Set(rows.map(({ effect }) => effect))).toEqual(new Set(['allow', 'deny', 'pause']));
    for (const code of [
      'shadow',
      'policy_forbids',
      'policy_requires_approval',
      'budget_exceeded',
      'no_progress',
      'halted',
      'limit_steps',
      'approval_rejected',
      'rate_limited',
    ])
      expect({ code, seen: rows.some(({ said }) => said.includes(`"${code}"`)) }).toEqual({ code, seen: true });
    expect(rows.length).toBeGreaterThan(25);
    // One after the other: each connects anew, and the readers of all databases of a server have forty connections together.
    const told: Said[] = [];
    for (const row of rows) told.push(await show(row, '--recompute', '--json'));
    expect(
      told.map(({ code, out }) => [code, (JSON.parse(out) as { recomputed: { result: string } }).recomputed.result]),
    ).toEqual(rows.map(() => [0, 'equal']));
  }, 120_000);

  it('prints all of a decision; of the last attempt where none is named', async () => {
    const denied = (await decisions()).find(({ said }) => said.includes('policy_forbids'));
    if (denied === undefined) throw new Error('nothing was forbidden');
    const { code, out } = await rig.rok('decision', 'show', runIdOf(denied.run_id), String(denied.step));
    expect(code).toBe(0);
    expect(out).toMatch(/^effect {9}deny$/m);
    expect(out).toMatch(/^reason {9}policy_forbids by default\/ceiling: too much$/m);
    expect(out).toMatch(/^determined by {2}default\/ceiling/m);
    expect((await show(denied, '--recompute')).out).toMatch(/^recomputed {5}equal$/m);
    for (const [place, exit] of [
      ['999', 3],
      ['1.99', 3],
      ['x', 2],
    ] as const)
      expect(await rig.rok('decision', 'show', runIdOf(denied.run_id), place)).toMatchObject({ code: exit });
  }, 30_000);

  it.each([
    [
      'a snapshot that was changed',
      `UPDATE decide.snapshots s SET body = replace(body, '"steps":', '"stops":')`,
      6,
      'changed',
    ],
    ['a snapshot that is gone', 'DELETE FROM decide.snapshots s', 3, 'deleted'],
    [
      'a ruling that was changed',
      `UPDATE decide.decisions s SET body = jsonb_set(body, '{determining}', '["default/none"]')`,
      7,
      'differs',
    ],
    ['an effect that was changed', `UPDATE decide.decisions s SET effect = 'deny', not_after = NULL`, 7, 'differs'],
    ['a target that was changed', `UPDATE decide.decisions s SET target = 'orders.nothing@1'`, 6, 'changed'],
  ])('finds %s', async (_name, tampering, exit, result) => {
    const planted = (await decisions()).find(
      ({ effect, step, said }) => effect === 'allow' && step > 0 && said.includes('"shadow"'),
    );
    if (planted === undefined) throw new Error('nothing was allowed');
    await rig.stack.admin.transaction(async (sql) => {
      await sql.query(`SET LOCAL session_replication_role = 'replica'`);
      const of = tampering.includes('snapshots')
        ? ` WHERE (s.run_id, s.digest) = (SELECT run_id, snapshot_digest FROM decide.decisions WHERE run_id = $1 AND step = $2 AND attempt = $3)`
        : ` WHERE s.run_id = $1 AND s.step = $2 AND s.attempt = $3`;
      await sql.query('CREATE TABLE IF NOT EXISTS kept_snapshots AS SELECT * FROM decide.snapshots');
      await sql.query('CREATE TABLE IF NOT EXISTS kept_decisions AS SELECT * FROM decide.decisions');
      await sql.query(`${tampering}${of}`, [planted.run_id, planted.step, planted.attempt]);
    });
    const { code, out } = await show(planted, '--recompute', '--json');
    expect([code, (JSON.parse(out) as { recomputed: { result: string } }).recomputed.result]).toEqual([exit, result]);
    if (result === 'differs')
      expect((await show(planted, '--recompute')).out).toMatch(/^recomputed {5}differs in (determining|effect)/m);
    await rig.stack.admin.transaction(async (sql) => {
      await sql.query(`SET LOCAL session_replication_role = 'replica'`);
      for (const name of ['snapshots', 'decisions']) {
        await sql.query(`DELETE FROM decide.${name}`);
        await sql.query(`INSERT INTO decide.${name} SELECT * FROM kept_${name}`);
      }
    });
    expect(await show(planted, '--recompute')).toMatchObject({ code: 0, out: saying('equal') });
  });

  it('says that it cannot be told where the arguments were deleted', async () => {
    const planted = (await decisions()).find(({ effect, said }) => effect === 'allow' && said.includes('"shadow"'));
    if (planted === undefined) throw new Error('nothing was allowed');
    await rig.stack.admin.query(`DELETE FROM execute.contents WHERE run_id = $1 AND kind = 'arguments'`, [
      planted.run_id,
    ]);
    expect(await show(planted, '--recompute')).toMatchObject({
      code: 3,
      out: saying('cannot be told, deleted: the arguments it was decided on'),
    });
  });
});
