/** An approval is used by the attempts of its own step until one succeeded, and by nothing else. */
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { randomUUID } from 'node:crypto';
import { access } from '../../src/decide/actors/act.js';
import type { Caller } from '../../src/decide/actors/caller.js';
import { uuidOf, type Digest, type RunId } from '../../src/domain/ids.js';
import type { StepAnswer } from '../../src/domain/protocol/decide.js';
import { createStepRig, skillCall, type StepRig } from './step-rig.js';

let rig: StepRig;
beforeAll(async () => {
  rig = await createStepRig();
});
afterAll(() => rig.close());

const decided = (answer: StepAnswer): Extract<StepAnswer, { kind: 'decided' }> => {
  if (answer.kind !== 'decided') throw new Error(answer.kind);
  return answer;
};
const effectOf = (answer: StepAnswer): string => decided(answer).ruling.effect;
const answerHold = async (run: RunId, caller: Caller, verb: 'approve' | 'reject', hold: number, digest: Digest) =>
  expect(
    await rig.as((sql) =>
      access(
        sql,
        rig.deps,
        { history: caller },
        {
          run,
          verb,
          updateId: randomUUID(),
          claim: { local: 'bob', roles: ['approver:finance'] },
          hold,
          digest,
        },
      ),
    ),
  ).toMatchObject({ allowed: true });

async function redeem(run: RunId, step: number, attempt: number, digest: Digest): Promise<string> {
  const [row] = await rig.execute.query<{ answer: string }>('SELECT answer FROM decide.redeem($1, $2, $3, $4, $5)', [
    uuidOf(run),
    step,
    attempt,
    digest,
    randomUUID(),
  ]);
  return row?.answer ?? '';
}

const ENDS = {
  succeeded: [`'succeeded'`, `'${'d'.repeat(64)}'`, '0, 0, 0, 0, false', 'NULL', 'NULL'],
  failed: [`'failed'`, 'NULL', 'NULL, NULL, NULL, NULL, NULL', `'skill_failed'`, 'NULL'],
  unknown: [`'unknown'`, 'NULL', 'NULL, NULL, NULL, NULL, NULL', 'NULL', `'gone'`],
} as const;
async function end(run: RunId, step: number, attempt: number, how: keyof typeof ENDS): Promise<void> {
  const [status, content, usage, code, cause] = ENDS[how];
  await rig.execute.query(
    `INSERT INTO execute.results (run_id, step, attempt, status, content_digest, input_tokens, output_tokens, cached_tokens,
      reasoning_tokens, usage_reported, code, cause, digest)
    SELECT $1::uuid, $2::int, $3::int, ${status}, ${content}, ${usage}, ${code}, ${cause},
      execute.result_digest($1::uuid, $2::int, $3::int, ${status}, ${content}, ${usage}, ${code}, NULL, ${cause}, NULL, NULL)`,
    [uuidOf(run), step, attempt],
  );
}

const usesOf = (run: RunId) =>
  rig.stack.admin.query('SELECT hold, step, attempt FROM decide.approval_uses WHERE run_id = $1 ORDER BY 1, 2, 3', [
    uuidOf(run),
  ]);

/** Held at its first attempt, approved, and allowed at its second. */
async function approved(run: RunId, caller: Caller, step: number): Promise<{ readonly digest: Digest; hold: number }> {
  const paused = decided(await rig.step(caller, skillCall(run, step, 'pay')));
  expect(paused.ruling.effect).toBe('pause');
  const hold = paused.hold ?? 0;
  await answerHold(run, caller, 'approve', hold, paused.actionDigest);
  expect(effectOf(await rig.step(caller, skillCall(run, step, 'pay', 2)))).toBe('allow');
  return { digest: paused.actionDigest, hold };
}

describe('an approval', () => {
  it('serves the step that it was given to, and not the same action at another', async () => {
    const { opened, caller } = await rig.open();
    const { run } = opened;
    const { digest } = await approved(run, caller, 1);
    expect(await redeem(run, 1, 2, digest)).toBe('ok');
    await end(run, 1, 2, 'succeeded');
    expect(await usesOf(run)).toEqual([{ hold: 1, step: 1, attempt: 2 }]);
    const again = decided(await rig.step(caller, skillCall(run, 2, 'pay')));
    expect(again).toMatchObject({ ruling: { effect: 'pause' }, hold: 2, actionDigest: digest });
    // Nor does the second attempt of another step find it.
    expect(effectOf(await rig.step(caller, skillCall(run, 3, 'pay')))).toBe('pause');
    expect(effectOf(await rig.step(caller, skillCall(run, 3, 'pay', 2)))).toBe('pause');
  });

  it.each(['failed', 'unknown'] as const)('serves the next attempt of its step after one that %s', async (how) => {
    const { opened, caller } = await rig.open();
    const { run } = opened;
    const { digest } = await approved(run, caller, 1);
    expect(await redeem(run, 1, 2, digest)).toBe('ok');
    await end(run, 1, 2, how);
    expect(effectOf(await rig.step(caller, skillCall(run, 1, 'pay', 3)))).toBe('allow');
    expect(await redeem(run, 1, 3, digest)).toBe('ok');
    expect(await usesOf(run)).toEqual([
      { hold: 1, step: 1, attempt: 2 },
      { hold: 1, step: 1, attempt: 3 },
    ]);
  });

  it('is used up by an attempt that succeeded, in its own step too', async () => {
    const { opened, caller } = await rig.open();
    const { run } = opened;
    const { digest } = await approved(run, caller, 1);
    expect(await redeem(run, 1, 2, digest)).toBe('ok');
    await end(run, 1, 2, 'succeeded');
    expect(decided(await rig.step(caller, skillCall(run, 1, 'pay', 3)))).toMatchObject({
      ruling: { effect: 'pause' },
      hold: 2,
    });
    await answerHold(run, caller, 'approve', 2, digest);
    expect(effectOf(await rig.step(caller, skillCall(run, 1, 'pay', 4)))).toBe('allow');
    expect(await redeem(run, 1, 4, digest)).toBe('ok');
    expect(await usesOf(run)).toContainEqual({ hold: 2, step: 1, attempt: 4 });
  });

  it('that is used up begins nothing at the door either, whatever was decided', async () => {
    const { opened, caller } = await rig.open();
    const { run } = opened;
    const { digest } = await approved(run, caller, 1);
    expect(await redeem(run, 1, 2, digest)).toBe('ok');
    // Decided while the call was still in flight: nobody knew yet that it would succeed.
    expect(effectOf(await rig.step(caller, skillCall(run, 1, 'pay', 3, 1)))).toBe('allow');
    await rig.stack.admin.query('ALTER TABLE execute.results DISABLE TRIGGER append_only');
    await rig.stack.admin.query('DELETE FROM execute.results WHERE run_id = $1', [uuidOf(run)]);
    await rig.stack.admin.query('ALTER TABLE execute.results ENABLE TRIGGER append_only');
    await end(run, 1, 2, 'succeeded');
    expect(await redeem(run, 1, 3, digest)).toBe('approval_used');
    expect(await usesOf(run)).toEqual([{ hold: 1, step: 1, attempt: 2 }]);
  });

  it('that was refused stays refused for this very action, at every step', async () => {
    const { opened, caller } = await rig.open();
    const { run } = opened;
    const paused = decided(await rig.step(caller, skillCall(run, 1, 'pay')));
    await answerHold(run, caller, 'reject', 1, paused.actionDigest);
    for (const asked of [skillCall(run, 1, 'pay', 2), skillCall(run, 2, 'pay')])
      expect(await rig.step(caller, asked)).toMatchObject({
        ruling: { effect: 'deny', reasons: [{ code: 'approval_rejected' }] },
      });
    expect(await usesOf(run)).toEqual([]);
  });
});

describe('a use of an approval', () => {
  it('is of the step that was held, and is written by redeem alone', async () => {
    const { opened, caller } = await rig.open();
    const { run } = opened;
    const { digest } = await approved(run, caller, 1);
    expect(effectOf(await rig.step(caller, skillCall(run, 2, 'look', 1, 1)))).toBe('allow');
    const use = `INSERT INTO decide.approval_uses (run_id, hold, step, attempt) VALUES ($1, $2, $3, $4)`;
    for (const sql of [rig.decide, rig.execute])
      await expect(sql.query(use, [uuidOf(run), 1, 1, 2])).rejects.toMatchObject({ code: '42501' });
    // Of another step, by whomever.
    await expect(rig.stack.admin.query(use, [uuidOf(run), 1, 2, 1])).rejects.toMatchObject({ code: '23503' });
    expect(await redeem(run, 1, 2, digest)).toBe('ok');
    await expect(
      rig.stack.admin.query('DELETE FROM decide.approval_uses WHERE run_id = $1', [uuidOf(run)]),
    ).rejects.toMatchObject({ code: '55000' });
  });
});
