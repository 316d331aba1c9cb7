/** A model that costs nothing and takes more tokens than it was granted: only the tokens show it. Through whole runs. */
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createRig, type Rig } from './rig.js';
import { call, deployAgents, turn } from './scripted-agents.js';

const GREEDY = { usage: { inputTokens: 90_000, outputTokens: 5 } };
const look = call('orders.lookup', { order: 'A-1001' });
const AGENTS = {
  early: { turns: [{ ...turn([look]), ...GREEDY }, turn([look]), turn([])] },
  // Nothing is decided after it but the outcome.
  last: { turns: [turn([look]), { ...turn([]), ...GREEDY }] },
  modest: { turns: [turn([look]), turn([])] },
};

let rig: Rig;
let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'rok-overrun-'));
  rig = await createRig({ env: await deployAgents(folder, AGENTS) });
}, 60_000);
afterAll(async () => {
  await rig.close();
  await rm(folder, { recursive: true, force: true });
});

async function ran(agent: keyof typeof AGENTS, profile: string) {
  await rig.stack.admin.query('INSERT INTO decide.tenants (tenant, profile) VALUES ($1, $1) ON CONFLICT DO NOTHING', [
    profile,
  ]);
  const handle = await rig.start(`rok/${profile}/${agent}`, {
    tenant: profile,
    agent,
    input: 'go',
    actor: { local: 'alice' },
  });
  const { outcome, verdict, run } = await handle.result();
  const [found] = await rig.stack.admin.query<{
    findings: readonly object[];
    calls: number;
    over: bigint;
    used: bigint;
  }>(
    `SELECT v.findings, a.over, a.spent + a.over AS used,
      (SELECT count(*)::int FROM decide.reservations w WHERE w.run_id = v.run_id AND w.redeemed_at IS NOT NULL AND w.bound_tokens > 0) AS calls
    FROM audit.v_verdicts v JOIN decide.accounts a ON a.subject = v.run_id::text AND a.unit = 'tokens' WHERE v.run_id = $1`,
    [run.slice(4)],
  );
  return { outcome, verdict, ...found };
}
const overrun = (step: number) => [
  expect.objectContaining({
    code: 'OVERRUN',
    blocking: true,
    subject: `step ${step} attempt 1`,
    detail: expect.stringMatching(/^\d+ tokens above the grant$/),
  }),
];

describe('tokens above the grant, of a model that costs nothing', () => {
  it('stop the run before its next call, and are found', async () => {
    expect(await ran('early', 'STANDARD')).toMatchObject({
      ...{ outcome: 'budget_stopped', verdict: 'INCOMPLETE', findings: overrun(1), calls: 1, used: 90_005n },
    });
  }, 60_000);

  it('are found where the run ended with them', async () => {
    expect(await ran('last', 'STANDARD')).toMatchObject({
      ...{ outcome: 'succeeded', verdict: 'INCOMPLETE', findings: overrun(3), calls: 2, used: 90_020n },
    });
  }, 60_000);

  it('stop nothing in OBSERVE_ONLY, and are found', async () => {
    expect(await ran('early', 'OBSERVE_ONLY')).toMatchObject({
      ...{ outcome: 'succeeded', verdict: 'INCOMPLETE', findings: overrun(1), calls: 3, used: 90_035n },
    });
  }, 60_000);

  it('are not there where the provider kept to its grant', async () => {
    expect(await ran('modest', 'STANDARD')).toMatchObject({
      ...{ outcome: 'succeeded', verdict: 'COMPLETE', findings: [], calls: 2, over: 0n, used: 30n },
    });
  }, 60_000);
});
