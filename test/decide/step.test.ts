/** One step's decision and the end of a run, through the real functions on a real PostgreSQL. */
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { randomUUID } from 'node:crypto';
import { finalize, latch } from '../../src/decide/lifecycle/close.js';
import { NotThisHistory } from '../../src/decide/rows/run-row.js';
import { access } from '../../src/decide/actors/act.js';
import { uuidOf, type Digest, type RunId } from '../../src/domain/ids.js';
import type { StepAnswer } from '../../src/domain/protocol/decide.js';
import { drift } from './ledger-rig.js';
import { createStepRig, executed, modelCall, skillCall, type StepRig } from './step-rig.js';

let rig: StepRig;
beforeAll(async () => {
  rig = await createStepRig();
});
afterAll(() => rig.close());

const effectOf = (answer: StepAnswer): string => (answer.kind === 'decided' ? answer.ruling.effect : answer.kind);
const reasonsOf = (answer: StepAnswer): readonly string[] =>
  answer.kind === 'decided' && answer.ruling.effect !== 'allow' ? answer.ruling.reasons.map(({ code }) => code) : [];
const warrantsOf = (run: RunId) =>
  rig.decide.query('SELECT step, attempt, state FROM decide.reservations WHERE run_id = $1 ORDER BY step, attempt', [
    uuidOf(run),
  ]);

describe('decide.step', () => {
  it('asked again gives the same answer, and sets nothing aside twice', async () => {
    const { opened, caller } = await rig.open();
    const request = await modelCall(rig, opened.run, 1);
    const first = await rig.step(caller, request);
    expect(effectOf(first)).toBe('allow');
    const again = await rig.step(caller, request);
    const timeless = (answer: StepAnswer) => ({ ...answer, runDeadlineInMs: 0 });
    expect(timeless(again)).toEqual(timeless(first));
    expect(await warrantsOf(opened.run)).toEqual([{ step: 1, attempt: 1, state: 'issued' }]);
    expect(
      await rig.decide.query('SELECT spent, reserved FROM decide.accounts WHERE subject = $1 AND unit = $2', [
        uuidOf(opened.run),
        'usd_micros',
      ]),
    ).toEqual([{ spent: 0n, reserved: 200n }]);
  });

  it('under a key that was another action is a conflict: the next attempt is named, the old warrant void', async () => {
    const { opened, caller } = await rig.open();
    await rig.step(caller, await modelCall(rig, opened.run, 1));
    const other = await modelCall(rig, opened.run, 1, { output: 99 });
    expect(await rig.step(caller, other)).toEqual({ kind: 'conflict', nextAttempt: 2 });
    expect(await warrantsOf(opened.run)).toEqual([{ step: 1, attempt: 1, state: 'released' }]);
    const second = await rig.step(caller, { ...other, intent: { ...other.intent, attempt: 2 } });
    expect(effectOf(second)).toBe('allow');
    expect(await rig.step(caller, other)).toEqual({ kind: 'conflict', nextAttempt: 3 });
    expect(await warrantsOf(opened.run)).toEqual([
      { step: 1, attempt: 1, state: 'released' },
      { step: 1, attempt: 2, state: 'released' },
    ]);
    expect(await drift(rig.decide)).toEqual([]);
  });

  it('asked by another execution is refused', async () => {
    const { opened, caller } = await rig.open();
    const request = await modelCall(rig, opened.run, 1);
    const stranger = { ...caller, temporalRunId: 'another' };
    await expect(rig.step(stranger, request)).rejects.toBeInstanceOf(NotThisHistory);
    expect(await warrantsOf(opened.run)).toEqual([]);
    await expect(rig.open({}, stranger)).rejects.toBeInstanceOf(NotThisHistory);
    expect((await rig.open({}, caller)).opened.run).toBe(opened.run);
  });

  it('with a context or arguments that the intent does not name is refused', async () => {
    const { opened, caller } = await rig.open();
    const request = await modelCall(rig, opened.run, 1);
    const context = { base: null, added: [] };
    await expect(rig.step(caller, { ...request, context })).rejects.toMatchObject({ code: 'usage' });
    await expect(rig.step(caller, { ...skillCall(opened.run, 1, 'look'), arguments: { a: 1 } })).rejects.toMatchObject({
      code: 'usage',
    });
  });

  it('denies a call whose conversation is not stored', async () => {
    const { opened, caller } = await rig.open();
    const request = await modelCall(rig, opened.run, 1);
    await rig.stack.admin.query('DELETE FROM execute.contents WHERE run_id = $1', [uuidOf(opened.run)]);
    expect(reasonsOf(await rig.step(caller, request))).toEqual(['context_unknown']);
  });

  it('settles the last turn from its result, voids what was not begun, and forfeits what is silent', async () => {
    const { opened, caller } = await rig.open();
    const { run } = opened;
    await executed(rig, run, 1, await rig.step(caller, await modelCall(rig, run, 1)), 50);
    const lost = await rig.step(caller, skillCall(run, 2, 'look', 1, 2));
    await rig.step(caller, skillCall(run, 3, 'look', 1, 2));
    if (lost.kind !== 'decided') throw new Error(lost.kind);
    await rig.execute.query('SELECT decide.redeem($1, 2, 1, $2, $3)', [uuidOf(run), lost.actionDigest, randomUUID()]);
    await rig.step(caller, await modelCall(rig, run, 4));
    expect(await warrantsOf(run)).toEqual([
      { step: 1, attempt: 1, state: 'settled' },
      { step: 2, attempt: 1, state: 'forfeited' },
      { step: 3, attempt: 1, state: 'released' },
      { step: 4, attempt: 1, state: 'issued' },
    ]);
    expect(
      await rig.stack.admin.query('SELECT step, status, cause FROM execute.results WHERE run_id = $1 AND step = 2', [
        uuidOf(run),
      ]),
    ).toEqual([{ step: 2, status: 'unknown', cause: 'fenced' }]);
    expect(await drift(rig.decide)).toEqual([]);
  });

  it.each(['scripted/a', 'scripted/free'])(
    'of a run whose provider %s took more than its grant is denied for good',
    async (model) => {
      const { opened, caller } = await rig.open();
      await executed(rig, opened.run, 1, await rig.step(caller, await modelCall(rig, opened.run, 1, { model })), 101);
      const next = await rig.step(caller, await modelCall(rig, opened.run, 2, { model }));
      expect(next).toMatchObject({ ruling: { effect: 'deny', final: true } });
      expect(reasonsOf(next)).toEqual(['overrun']);
      // A body that catches the end and goes on is told the same.
      expect(reasonsOf(await rig.step(caller, skillCall(opened.run, 3, 'look')))).toEqual(['overrun']);
    },
  );

  it('of a run whose provider took exactly its grant is allowed', async () => {
    const { opened, caller } = await rig.open();
    for (const step of [1, 2])
      await executed(
        rig,
        opened.run,
        step,
        await rig.step(caller, await modelCall(rig, opened.run, step, { model: 'scripted/free' })),
        100,
      );
    expect(effectOf(await rig.step(caller, skillCall(opened.run, 3, 'look')))).toBe('allow');
  });

  it('beyond the cap is denied, and leaves no warrant', async () => {
    const { opened, caller } = await rig.open();
    const denied = await rig.step(caller, await modelCall(rig, opened.run, 1, { tokens: 1001 }));
    expect(reasonsOf(denied)).toEqual(['budget_exceeded']);
    expect(await warrantsOf(opened.run)).toEqual([]);
    // 900 of 1,000 for the prompt leave 100 for the answer, whatever was asked for.
    const tight = await rig.step(caller, await modelCall(rig, opened.run, 2, { tokens: 900, output: 4096 }));
    expect(tight).toMatchObject({ ruling: { effect: 'allow', grant: { outputTokens: 100 } } });
  });

  it('that pauses opens one hold, and after its approval the next attempt is allowed', async () => {
    const { opened, caller } = await rig.open();
    const { run } = opened;
    const asked = skillCall(run, 1, 'pay');
    const paused = await rig.step(caller, asked);
    expect(paused).toMatchObject({ ruling: { effect: 'pause', hold: { authority: 'finance' } }, hold: 1 });
    expect(await rig.step(caller, asked)).toMatchObject({ hold: 1 });
    if (paused.kind !== 'decided') throw new Error(paused.kind);
    const approve = (updateId: string, local: string, roles: readonly string[], digest = paused.actionDigest) =>
      rig.as((sql) =>
        access(
          sql,
          rig.deps,
          { history: caller },
          { run, verb: 'approve', updateId, claim: { local, roles }, hold: 1, digest },
        ),
      );
    expect(await approve('u1', 'alice', ['approver:finance'])).toMatchObject({ allowed: false });
    expect(await approve('u2', 'bob', ['approver:legal'])).toMatchObject({ allowed: false });
    expect(await approve('u3', 'bob', ['approver:finance'], 'f'.repeat(64) as never)).toMatchObject({ allowed: false });
    expect(await approve('u4', 'bob\0', ['approver:finance'])).toMatchObject({ allowed: false });
    await expect(approve('u'.repeat(257), 'bob', ['approver:finance'])).rejects.toMatchObject({
      code: 'message_invalid',
    });
    const given = await approve('u5', 'bob', ['approver:finance']);
    expect(given).toMatchObject({ allowed: true, resolution: 'approved', given: 1, quorum: 1 });
    expect(await approve('u5', 'bob', ['approver:finance'])).toMatchObject({ allowed: true, given: 1 });
    expect(await approve('u6', 'bob', ['approver:finance'])).toMatchObject({ allowed: false });
    expect(effectOf(await rig.step(caller, skillCall(run, 1, 'pay', 2)))).toBe('allow');
  });

  it('after the latch is closed, and finalize settles everything once', async () => {
    const { opened, caller } = await rig.open();
    const { run } = opened;
    await executed(rig, run, 1, await rig.step(caller, await modelCall(rig, run, 1)), 50);
    await rig.step(caller, await modelCall(rig, run, 2));
    const ended = { run, outcome: 'killed', detail: 'by \0 order \uD83D', answer: 'no \0 digest' as Digest } as const;
    const latched: object = {
      outcome: 'killed',
      decision: { step: 3, attempt: 1 },
      dueInMs: expect.any(Number),
      holds: [],
    };
    expect(await rig.as((sql) => latch(sql, rig.deps, caller, ended))).toEqual(latched);
    expect(await rig.as((sql) => latch(sql, rig.deps, caller, { ...ended, outcome: 'succeeded' }))).toEqual(latched);
    expect(effectOf(await rig.step(caller, await modelCall(rig, run, 3)))).toBe('closed');
    const answered = () => rig.decide.query('SELECT answer FROM decide.runs WHERE run_id = $1', [uuidOf(run)]);
    expect(await answered()).toEqual([{ answer: 'no \uFFFD digest' }]);
    await expect(
      rig.decide.query('UPDATE decide.runs SET answer = NULL WHERE run_id = $1', [uuidOf(run)]),
    ).rejects.toThrow('the answer of a run is given when its outcome is latched');
    const final = await rig.as((sql) => finalize(sql, rig.deps, caller, ended));
    expect(final).toEqual({
      phase: 'FAILED',
      outcome: 'killed',
      spentMicros: '150',
      tokens: 150,
      decisions: { allow: 4, deny: 0, pause: 0 },
      attempts: 1,
      onTime: true,
    });
    expect(await rig.as((sql) => finalize(sql, rig.deps, caller, ended))).toEqual(final);
    expect(await drift(rig.decide)).toEqual([]);
    expect(
      await rig.decide.query(`SELECT 1 FROM decide.accounts WHERE subject = $1 AND reserved <> 0`, [uuidOf(run)]),
    ).toEqual([]);
  });
});

describe('decide.open', () => {
  it('of a spec that is wrong in naughty ways is a denied run, kept with every problem', async () => {
    for (const spec of [
      { labels: { a: '\0' }, profile: 'LAX' },
      { actor: { local: '\uD83D' }, limits: { steps: -1 } },
      { ['\0\uD83D'.repeat(50)]: 1, limits: { skillCalls: { '\0': 1 } } },
    ]) {
      const { opened } = await rig.open(spec);
      expect(opened).toMatchObject({ phase: 'CREATED', ruling: { effect: 'deny', final: true } });
      expect(opened.ruling.effect === 'deny' ? opened.ruling.reasons.length : 0).toBe(2);
    }
  });

  it('takes a limit on a skill with the name of what every object has', async () => {
    const { opened } = await rig.open({ limits: { skillCalls: { constructor: 0, toString: 1 } } });
    expect(opened).toMatchObject({ phase: 'AUTHORIZED', ruling: { effect: 'allow' } });
  });

  it('may only make the profile stricter', async () => {
    expect((await rig.open({ profile: 'OBSERVE_ONLY' })).opened.profile).toBe('STANDARD');
    const strict = (await rig.open({ profile: 'STRICT' })).opened;
    expect(strict).toMatchObject({
      profile: 'STRICT',
      ruling: { effect: 'deny', reasons: [{ code: 'actor_refused' }] },
    });
  });
});
