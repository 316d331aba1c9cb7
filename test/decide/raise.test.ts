/** A cap raised by an approved act, through the real functions as login rok_decide: who may, which budget, once, and in place. */
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { randomUUID } from 'node:crypto';
import { latch } from '../../src/decide/lifecycle/close.js';
import { access } from '../../src/decide/actors/act.js';
import type { ActorClaim } from '../../src/domain/actor.js';
import { uuidOf } from '../../src/domain/ids.js';
import { raiseText } from '../../src/domain/protocol/raise.js';
import { drift } from './ledger-rig.js';
import { BOB, createRaiseRig, of, ruleOf, type Opened, type RaiseRig } from './raise-rig.js';
import { modelCall } from './step-rig.js';

let rig: RaiseRig;
beforeAll(async () => {
  rig = await createRaiseRig();
});
afterAll(() => rig.close());

describe('a raise', () => {
  it('resolves the hold for BUDGET, and the step that waited is decided again under the new cap, which the journal has', async () => {
    const opened = await rig.heldRun();
    const answer = await rig.raise(opened, of(opened, { to: '210' }));
    expect(answer).toMatchObject({ allowed: true, actor: 'local:bob', holds: [1], resolution: 'raised' });
    expect(await rig.holdsOf(opened)).toEqual([{ hold: 1, reason: 'BUDGET', resolution: 'raised' }]);
    expect(await rig.raisesOf(opened)).toEqual([{ from_cap: 150n, to_cap: 210n, actor: 'local:bob', hold: 1 }]);
    expect(await rig.ask(opened, 2)).toMatchObject({ ruling: { effect: 'allow', grant: { outputTokens: 10 } } });
    const journal = await rig.decide.query(
      `SELECT op, j.cap, j.reserved FROM decide.journal j JOIN decide.accounts a USING (account_id) WHERE a.subject = $1
      ORDER BY entry_id`,
      [opened.tenant],
    );
    expect(journal).toEqual([
      { op: 'open', cap: 150n, reserved: 0n },
      { op: 'cap', cap: 210n, reserved: 0n },
      { op: 'reserve', cap: null, reserved: 210n },
    ]);
    expect(await drift(rig.decide)).toEqual([]);
  });

  it('that is not enough pauses for the next, and so does another account that is short', async () => {
    const opened = await rig.heldRun();
    await rig.budget('agent', `${opened.tenant}/clerk`, 100);
    await rig.raise(opened, of(opened, { to: '209' }));
    // One micro-USD is missing here, and 110 there.
    expect(await rig.ask(opened, 2)).toMatchObject({ ruling: { effect: 'pause' }, hold: 2 });
    await rig.raise(opened, of(opened, { from: '209', to: '210' }));
    expect(await rig.ask(opened, 3)).toMatchObject({ ruling: { effect: 'pause' }, hold: 3 });
    await rig.raise(opened, of(opened, { scope: 'agent', subject: `${opened.tenant}/clerk`, from: '100', to: '210' }));
    expect(await rig.ask(opened, 4)).toMatchObject({ ruling: { effect: 'allow' } });
    expect(await drift(rig.decide)).toEqual([]);
  });

  it('ends the holds of its own run that wait for just that account, and no other', async () => {
    const opened = await rig.heldRun();
    const agent = `${opened.tenant}/clerk`;
    await rig.budget('agent', agent, 250, 'pause', 'tokens');
    const ask = async (step: number, tokens: number) =>
      rig.step(opened.caller, await modelCall(rig, opened.run, step, { tokens, output: 10 }));
    // Both for the tenant's money; the third for the agent's tokens too.
    expect([await ask(2, 200), await ask(3, 300)]).toMatchObject([{ hold: 2 }, { hold: 3 }]);
    const more = { scope: 'agent', subject: agent, unit: 'tokens', from: '250', to: '400' } as const;
    expect(await rig.raise(opened, of(opened, more))).toMatchObject({
      allowed: true,
      holds: [3],
      resolution: 'raised',
    });
    const raised = await rig.raise(opened, of(opened, { to: '1000' }), { updateId: 'again' });
    expect(raised).toMatchObject({ allowed: true, holds: [1, 2], resolution: 'raised' });
    expect(await rig.raise(opened, of(opened, { to: '1000' }), { updateId: 'again' })).toMatchObject({ holds: [1, 2] });
    expect(await rig.holdsOf(opened)).toEqual(
      [1, 2, 3].map((hold) => ({ hold, reason: 'BUDGET', resolution: 'raised' })),
    );
  });

  it('without a hold just applies: to the run itself, to a label of it, to all', async () => {
    const opened = await rig.runOf(undefined, { team: 'desk' });
    const label = `${opened.tenant}/team=desk`;
    await rig.budget('label', label, 7, 'deny', 'calls');
    await rig.budget('all', '', 5_000_000, 'deny', 'tokens');
    const own = { scope: 'run', subject: uuidOf(opened.run), window: 'run', from: '10000', to: '20000' } as const;
    for (const asked of [
      of(opened, own),
      of(opened, { scope: 'label', subject: label, unit: 'calls', from: '7', to: '8' }),
      of(opened, { scope: 'all', subject: '', unit: 'tokens', from: '5000000', to: '9223372036854775807' }),
    ]) {
      const answer = await rig.raise(opened, asked);
      expect(answer).toEqual({ allowed: true, actor: 'local:bob' });
    }
    expect(await rig.capOf(label)).toBe(8n);
    expect(await drift(rig.decide)).toEqual([]);
  });

  it.each([
    ['the requester, whatever its roles', { claim: { local: 'alice', roles: ['admin'] } }, {}, 'access.four_eyes', 1],
    ['an approver of something else', { claim: { local: 'bob', roles: ['operator'] } }, {}, 'grants/budget.raise', 1],
    ['one based on another cap', {}, { from: '149' }, 'budget.moved', 1],
    ["another tenant's budget", {}, { subject: 'acme' }, 'budget.unknown', null],
    ["another agent's", {}, { scope: 'agent' }, 'budget.unknown', null],
    ["another run's", {}, { scope: 'run', subject: randomUUID(), window: 'run' }, 'budget.unknown', null],
    ['a window that has none', {}, { window: 'day' }, 'budget.unknown', null],
  ] as const)('by, or of, %s is refused and recorded, and the run waits on', async (_name, by, over, rule, hold) => {
    const opened = await rig.heldRun();
    if ('subject' in over)
      await rig.stack.admin.query(PLANTED, ['scope' in over ? over.scope : 'tenant', over.subject]);
    expect(ruleOf(await rig.raise(opened, of(opened, over), by as { claim?: ActorClaim }))).toBe(rule);
    expect(await rig.capOf(opened.tenant)).toBe(150n);
    expect(await rig.raisesOf(opened)).toEqual([]);
    expect(await rig.holdsOf(opened)).toEqual([{ hold: 1, reason: 'BUDGET', resolution: null }]);
    const acts = await rig.decide.query(
      `SELECT verb, allowed, hold, reason LIKE '%raise_budget%' AS says FROM decide.acts WHERE run_id = $1 AND verb <> 'start'`,
      [uuidOf(opened.run)],
    );
    expect(acts).toEqual([{ verb: 'raise_budget', allowed: false, hold, says: true }]);
  });
  const PLANTED = `INSERT INTO decide.budgets (scope, subject, unit, time_window, cap)
    VALUES ($1, $2, 'usd_micros', CASE $1 WHEN 'run' THEN 'run' ELSE 'month' END, 150) ON CONFLICT DO NOTHING`;

  it('asked for again under its update id is one row and the same answer; under that id nothing else is raised', async () => {
    const opened = await rig.heldRun();
    const first = await rig.raise(opened, of(opened), { updateId: 'u1' });
    const again = await rig.raise(opened, of(opened), { updateId: 'u1' });
    expect({ ...again, runDeadlineInMs: 0 }).toEqual({ ...first, runDeadlineInMs: 0 });
    expect(ruleOf(await rig.raise(opened, of(opened, { from: '1000', to: '2000' }), { updateId: 'u1' }))).toBe(
      'access.update',
    );
    expect(await rig.raisesOf(opened)).toHaveLength(1);
    expect(await rig.capOf(opened.tenant)).toBe(1000n);
  });

  it('of ten at once from one cap, by ten runs, is one; the others are told the cap', async () => {
    const first = await rig.heldRun();
    const others = await Promise.all(Array.from({ length: 9 }, () => rig.runOf(first.tenant)));
    const answers = await Promise.all(
      [first, ...others].map((one, at) => rig.raise(one, of(one, { to: String(1000 + at) }))),
    );
    const rules = answers.map(ruleOf).sort();
    expect(rules).toEqual(['allowed', ...Array.from({ length: 9 }, () => 'budget.moved')]);
    const won = answers.findIndex(({ allowed }) => allowed);
    expect(await rig.capOf(first.tenant)).toBe(BigInt(1000 + won));
    expect(await drift(rig.decide)).toEqual([]);
  });

  it('of a run that is closing or has ended is refused', async () => {
    const opened = await rig.heldRun();
    await rig.as((sql) =>
      latch(sql, rig.deps, opened.caller, { run: opened.run, outcome: 'cancelled', detail: 'over', answer: null }),
    );
    expect(ruleOf(await rig.raise(opened, of(opened)))).toBe('access.state');
    const answer = await rig.decide.query<{ answer: object }>('SELECT decide.raise_budget($1, $2, $3) AS answer', [
      uuidOf(opened.run),
      'u',
      raiseText(of(opened)),
    ]);
    expect(answer).toEqual([{ answer: { raised: false, why: 'closed' } }]);
  });
});

describe('an approval of a hold for BUDGET', () => {
  const answer = async (opened: Opened, verb: 'approve' | 'reject') => {
    const held = await rig.decide.query<{ action_digest: string }>(
      'SELECT action_digest FROM decide.holds WHERE run_id = $1',
      [uuidOf(opened.run)],
    );
    const digest = held[0]?.action_digest as never;
    const { run, caller } = opened;
    return rig.as((sql) =>
      access(sql, rig.deps, { history: caller }, { run, verb, updateId: verb, claim: BOB, hold: 1, digest }),
    );
  };
  it.each(['approve', 'reject'] as const)('or its rejection (%s) takes no account above its cap', async (verb) => {
    const opened = await rig.heldRun();
    expect(await answer(opened, verb)).toMatchObject({ allowed: true });
    expect(await rig.ask(opened, 2)).toMatchObject({
      ruling: { effect: 'deny', final: true, reasons: [{ code: 'budget_exceeded' }] },
    });
    expect(await rig.decide.query('SELECT spent, reserved FROM decide.accounts WHERE subject = $1', [opened.tenant])) //
      .toEqual([{ spent: 0n, reserved: 0n }]);
  });

  it('goes on where somebody else raised the cap meanwhile', async () => {
    const opened = await rig.heldRun();
    const other = await rig.runOf(opened.tenant);
    expect(ruleOf(await rig.raise(other, of(other)))).toBe('allowed');
    expect(await rig.holdsOf(opened)).toMatchObject([{ resolution: null }]);
    await answer(opened, 'approve');
    expect(await rig.ask(opened, 2)).toMatchObject({ ruling: { effect: 'allow' } });
  });
});
