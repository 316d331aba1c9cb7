/** What would have been blocked, rule by rule, from real runs: OBSERVE_ONLY, shadow mode, and a soft rate limit in STANDARD. */
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { rm } from 'node:fs/promises';
import { temporaryFolder } from '../stack/servers.js';
import { deploymentIn, look, refund } from './deployment.js';
import { createRig, type Rig } from './rig.js';

const AGENTS = {
  refunder: { turns: [{ calls: [look(), refund(20_000), refund(200_000)] }, {}] },
  looker: { turns: [{ calls: [look()] }, { calls: [look('A-1002')] }, {}] },
};
const POLICIES = {
  'default.cedar': `@id("all") permit (principal, action, resource);
    @id("ceiling") @reason("too much") forbid (principal, action == Action::"skill.call", resource == Skill::"orders.refund")
      when { context.arguments.amount_cents > 100000 };
    @id("large") @effect("pause") @authority("finance") @reason("finance looks")
      forbid (principal, action == Action::"skill.call", resource == Skill::"orders.refund")
      when { context.arguments.amount_cents > 10000 };
    @id("trial") @mode("shadow") @reason("no more looking")
      forbid (principal, action == Action::"skill.call", resource == Skill::"orders.lookup");`,
};

let rig: Rig;
let folder: string;
beforeAll(async () => {
  folder = await temporaryFolder('report');
  rig = await createRig({ env: await deploymentIn(folder, AGENTS, POLICIES) });
  await rig.stack.admin.query(`INSERT INTO decide.tenants (tenant, profile) VALUES ('careful', 'OBSERVE_ONLY')`);
  // One a day: the three model calls and two look-ups of a run are one call in time and four that come too early.
  await rig.stack.admin.query(
    `INSERT INTO decide.rate_limits (scope, subject, enforcement, calls, period_s, burst) VALUES ('tenant', 'acme', 'soft', 1, 86400, 1)`,
  );
  for (const [agent, tenant] of [
    ['refunder', 'careful'],
    ['refunder', 'careful'],
    ['looker', 'acme'],
  ] as const) {
    const started = ['run', 'start', agent, '--input', 'go', '--as', 'alice', '--tenant', tenant, '--wait'];
    expect(await rig.rok(...started)).toMatchObject({ code: 0 });
  }
}, 90_000);
afterAll(async () => {
  await rig.stop();
  await rm(folder, { recursive: true, force: true });
});

const lines = async (...options: readonly string[]) => {
  const { code, out, err } = await rig.rok('policy', 'report', '--json', ...options);
  expect(code).toBe(0);
  const rows = out
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as Record<string, unknown>);
  return { rows: rows.map(({ first: _first, last: _last, ...row }) => row), err };
};
const CAREFUL = [
  {
    rule: 'default/ceiling',
    code: 'would_deny',
    would: 'deny',
    decisions: 2,
    runs: 2,
    agents: ['careful/refunder'],
    text: 'too much',
  },
  {
    rule: 'default/large',
    code: 'would_pause',
    would: 'pause',
    decisions: 4,
    runs: 2,
    agents: ['careful/refunder'],
    text: 'finance looks',
  },
  {
    rule: 'default/trial',
    code: 'shadow',
    would: 'block (shadow)',
    decisions: 2,
    runs: 2,
    agents: ['careful/refunder'],
    text: 'would have blocked: no more looking',
  },
];
const byRule = (rows: readonly Readonly<Record<string, unknown>>[]) =>
  [...rows].sort((a, b) => (String(a['rule']) < String(b['rule']) ? -1 : 1));

it('counts decisions and runs by rule, of one tenant or of all, for machines', async () => {
  const { rows, err } = await lines('--tenant', 'careful');
  expect(byRule(rows)).toEqual(CAREFUL);
  expect(rows.map(({ decisions }) => decisions)).toEqual([4, 2, 2]);
  expect(err).toBe('3 rules\n');
  const all = await lines();
  expect(byRule(all.rows)).toMatchObject([
    { rule: 'default/ceiling', decisions: 2 },
    { rule: 'default/large', decisions: 4 },
    { rule: 'default/trial', decisions: 4, runs: 3, agents: ['acme/looker', 'careful/refunder'] },
    { rule: 'rate.tenant.soft', code: 'rate_warning', would: 'wait', decisions: 4, runs: 1, agents: ['acme/looker'] },
  ]);
});

it('and since when: a duration back from now by database time, or a time', async () => {
  expect((await lines('--since', '1h')).rows).toHaveLength(4);
  expect((await lines('--since', '1ms')).rows).toEqual([]);
  expect((await lines('--since', '2020-01-01T00:00:00Z')).rows).toHaveLength(4);
  expect(await lines('--since', '2999-01-01T00:00:00Z')).toEqual({
    rows: [],
    err: 'nothing would have been blocked\n',
  });
  expect(await rig.rok('policy', 'report', '--since', 'yesterday')).toMatchObject({ code: 2 });
});

it('as a table for people', async () => {
  const { out } = await rig.rok('policy', 'report', '--tenant', 'careful');
  const [head, first] = out.split('\n').map((line) => line.split(/ {2,}/));
  expect(head).toEqual(['RULE', 'WOULD', 'DECISIONS', 'RUNS', 'AGENTS', 'LAST', 'SAYS']);
  expect(first?.filter((_cell, at) => at !== 5)).toEqual([
    'default/large',
    'pause',
    '4',
    '2',
    'careful/refunder',
    'finance looks',
  ]);
});
