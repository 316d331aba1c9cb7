/** What a breach means, through whole decisions: deny, pause for an answer, a cheaper model; and the warning before it. */
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { randomUUID } from 'node:crypto';
import { uuidOf, type RunId } from '../../src/domain/ids.js';
import type { StepAnswer } from '../../src/domain/protocol/decide.js';
import { drift, redeem } from './ledger-rig.js';
import { createStepRig, modelCall, type StepRig } from './step-rig.js';

let rig: StepRig;
beforeAll(async () => {
  rig = await createStepRig({ downgrade: 'scripted/cheap', limits: { usd: '0.010000' } });
});
afterAll(() => rig.close());

/** A run of a tenant of its own, which has this much and does that where it is not enough. */
async function open(cap: number, onBreach: 'deny' | 'pause' | 'downgrade', profile?: string) {
  const tenant = `t-${randomUUID()}`;
  await rig.decide.query(
    `INSERT INTO decide.budgets (scope, subject, unit, time_window, cap, on_breach) VALUES ('tenant', $1, 'usd_micros', 'month', $2, $3)`,
    [tenant, cap, onBreach],
  );
  if (profile !== undefined)
    await rig.stack.admin.query('INSERT INTO decide.tenants (tenant, profile) VALUES ($1, $2)', [tenant, profile]);
  const { opened, caller } = await rig.open(
    { tenant },
    { workflowId: `rok/${tenant}/${randomUUID()}`, temporalRunId: randomUUID() },
  );
  const call = async (
    step: number,
    ask: { readonly tokens: number; readonly attempt?: number; readonly target?: string },
  ) => {
    const request = await modelCall(rig, opened.run, step, ask);
    const target = ask.target ?? request.intent.target;
    return rig.step(caller, { ...request, intent: { ...request.intent, target } });
  };
  return { tenant, run: opened.run, call };
}

const ruling = (answer: StepAnswer) => (answer.kind === 'decided' ? answer.ruling : null);
const reservations = (run: RunId) =>
  rig.decide.query('SELECT step, attempt FROM decide.reservations WHERE run_id = $1', [uuidOf(run)]);

describe('a breach', () => {
  it('of an account that denies ends the run', async () => {
    const { run, call } = await open(150, 'deny');
    expect(ruling(await call(1, { tokens: 200 }))).toMatchObject({
      effect: 'deny',
      final: true,
      reasons: [{ code: 'budget_exceeded', rule: 'budget.tenant.usd_micros.month' }],
    });
    expect(await reservations(run)).toEqual([]);
  });

  it('of an account that pauses opens a hold for finance', async () => {
    const { run, call } = await open(150, 'pause');
    const answer = await call(1, { tokens: 200 });
    expect(ruling(answer)).toMatchObject({
      effect: 'pause',
      hold: { reason: 'BUDGET', authority: 'finance', quorum: 1 },
    });
    expect(answer).toMatchObject({ hold: 1 });
    expect(await reservations(run)).toEqual([]);
  });

  it('of an account that downgrades suggests the cheaper model, which is decided like any call', async () => {
    const { run, call } = await open(150, 'downgrade');
    expect(ruling(await call(1, { tokens: 200 }))).toMatchObject({
      effect: 'deny',
      final: false,
      suggest: { model: 'scripted/cheap' },
    });
    expect(ruling(await call(1, { tokens: 200, attempt: 2, target: 'scripted/cheap' }))).toMatchObject({
      effect: 'allow',
      grant: { model: 'scripted/cheap', outputTokens: 100 },
    });
    expect(await reservations(run)).toEqual([{ step: 1, attempt: 2 }]);
    expect(ruling(await call(2, { tokens: 3_000, target: 'scripted/cheap' }))).toMatchObject({
      effect: 'deny',
      final: true,
    });
  });

  it('of two accounts that both downgrade still suggests', async () => {
    const { call } = await open(150, 'downgrade');
    // The run's own account downgrades where its agent has a cheaper model: 10,000 micro-USD.
    expect(ruling(await call(1, { tokens: 20_000 }))).toMatchObject({
      effect: 'deny',
      reasons: [{ rule: 'budget.run.usd_micros.run' }, { rule: 'budget.tenant.usd_micros.month' }],
      suggest: { model: 'scripted/cheap' },
    });
  });

  it('in OBSERVE_ONLY is a notice, and the call is granted in full', async () => {
    const { call } = await open(150, 'pause', 'OBSERVE_ONLY');
    const answer = await call(1, { tokens: 200 });
    expect(ruling(answer)).toMatchObject({ effect: 'allow', grant: { outputTokens: 100 } });
    expect(answer).toMatchObject({
      notices: [expect.stringContaining('tenant usd_micros: cap 150, spent 0'), expect.any(String)],
    });
  });

  it('comes after one warning at four fifths, which the trace is told with the decision', async () => {
    const { call } = await open(1_000, 'deny');
    const told = [];
    for (const [step, tokens] of [599, 100, 10].entries()) {
      const answer = await call(step + 1, { tokens });
      told.push([ruling(answer)?.effect, answer.kind === 'decided' ? answer.notices : []]);
    }
    expect(told).toEqual([
      ['allow', []],
      // The first is released now, and this one reserves 200.
      ['allow', []],
      ['allow', []],
    ]);
    const again = await call(4, { tokens: 710 });
    expect(again).toMatchObject({ notices: ['tenant usd_micros is at 80 % of its cap'] });
    expect(await call(5, { tokens: 720 })).toMatchObject({ ruling: { effect: 'allow' }, notices: [] });
  });
});

it('an overrun stops the run that took it, and what it took is gone for the rest of the tenant', async () => {
  const { tenant, run, call } = await open(500, 'deny');
  const answer = await call(1, { tokens: 100 });
  if (answer.kind !== 'decided') throw new Error('not decided');
  expect(await redeem(rig.execute, uuidOf(run), 1, { digest: answer.actionDigest })).toBe('ok');
  await rig.execute.query(
    `INSERT INTO execute.results (run_id, step, attempt, status, content_digest, input_tokens, output_tokens, cached_tokens,
      reasoning_tokens, usage_reported, digest)
    VALUES ($1::uuid, 1, 1, 'succeeded', $2::text, 100, 390, 0, 0, true,
      execute.result_digest($1::uuid, 1, 1, 'succeeded', $2::text, 100, 390, 0, 0, true, NULL, NULL, NULL, NULL, NULL))`,
    [uuidOf(run), 'e'.repeat(64)],
  );
  expect(ruling(await call(2, { tokens: 1 }))).toMatchObject({
    effect: 'deny',
    final: true,
    reasons: [{ code: 'overrun' }],
  });
  expect(
    await rig.decide.query('SELECT spent, reserved, over FROM decide.accounts WHERE subject = $1', [tenant]),
  ).toEqual([{ spent: 200n, reserved: 0n, over: 290n }]);
  const other = await rig.open(
    { tenant },
    { workflowId: `rok/${tenant}/${randomUUID()}`, temporalRunId: randomUUID() },
  );
  const asking = async (tokens: number) =>
    rig.step(other.caller, await modelCall(rig, other.opened.run, tokens, { tokens, output: 1 }));
  expect(ruling(await asking(10))).toMatchObject({ effect: 'deny', reasons: [{ code: 'budget_exceeded' }] });
  expect(ruling(await asking(9))).toMatchObject({ effect: 'allow' });
  expect(await drift(rig.decide)).toEqual([]);
});
