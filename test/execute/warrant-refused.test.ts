import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { uuidOf, type Digest } from '../../src/domain/ids.js';
import type { Intent } from '../../src/domain/intent.js';
import type { ExecuteStep } from '../../src/domain/protocol/execute.js';
import { redeemed, type Redeemed } from '../../src/execute/redeemed.js';
import { runStep } from '../../src/execute/run-runner.js';
import { probeDeps, probeRun, seen, type ProbeRun } from './probe.js';
import { createRig, inFlight, type Rig } from './rig.js';

let rig: Rig;
let on: ProbeRun;
beforeAll(async () => {
  rig = await createRig();
});
afterAll(() => rig.close());
beforeEach(async () => {
  rig.logged.length = 0;
  on = await probeRun(rig);
});

const refusedFor = (code: string) => ({ result: { status: 'failed', code }, resultDigest: null });

describe('without a warrant for exactly this', () => {
  const other = 'a'.repeat(64) as Digest;
  const refusals: readonly (readonly [string, string, () => Promise<ExecuteStep>])[] = [
    ['no decision at all', 'no_warrant', () => Promise.resolve(on.stepOf(on.skillIntent()))],
    [
      'other arguments',
      'digest_mismatch',
      () => allowing(on.skillIntent({ argumentsDigest: other }), on.skillIntent()),
    ],
    ['allowed as a read', 'digest_mismatch', () => allowing(on.skillIntent({ access: 'read' }))],
    ['another limit', 'digest_mismatch', () => allowing(on.modelIntent({ askedOutputTokens: 501 }), on.modelIntent())],
    ['another agent file', 'digest_mismatch', () => allowing(on.modelIntent({ argumentsDigest: other }))],
    ['expired', 'warrant_expired', () => allowing(on.skillIntent(), on.skillIntent(), '-1 second')],
    [
      'redeemed by somebody else',
      'warrant_redeemed',
      async () => {
        const step = await allowing(on.skillIntent());
        const redeem = 'SELECT decide.redeem($1, 1, 1, $2, gen_random_uuid())';
        await rig.execute.query(redeem, [uuidOf(on.run), step.actionDigest]);
        return step;
      },
    ],
    [
      'the run was latched',
      'run_not_executing',
      async () => {
        const latch = `UPDATE decide.runs SET phase = 'FINALIZING', outcome = 'killed' WHERE run_id = $1`;
        await rig.stack.admin.query(latch, [uuidOf(on.run)]);
        return allowing(on.skillIntent());
      },
    ],
    [
      'halted',
      'halted',
      async () => {
        const halt = `INSERT INTO decide.halts (scope, subject, reason, set_by) VALUES ('tenant', 'acme', 'stop', 'op')`;
        await rig.stack.admin.query(halt);
        return allowing(on.skillIntent());
      },
    ],
  ];
  async function allowing(intent: Intent, asked = intent, notAfter = '1 minute'): Promise<ExecuteStep> {
    await rig.allow(on.run, intent, notAfter);
    return on.stepOf(asked);
  }
  afterEach(() =>
    rig.stack.admin.query(`UPDATE decide.halts SET lifted_by = 'op', lifted_at = now() WHERE lifted_at IS NULL`),
  );

  it.each(refusals)('nothing is called: %s', async (_, refusal, given) => {
    const answer = await runStep(probeDeps(rig), await given(), inFlight());
    expect(answer).toEqual(refusedFor('warrant_refused'));
    expect([seen.calls, await on.rows('results')]).toEqual([[], []]);
    expect(rig.logged).toEqual([{ run: on.run, step: 1, attempt: 1, refusal }]);
  });

  it.each<readonly [string, (step: ExecuteStep) => ExecuteStep, string]>([
    ['another agent file', (step) => ({ ...step, agentDigest: 'c'.repeat(64) as Digest }), 'agent_unknown'],
    ['no such agent', (step) => ({ ...step, agent: 'nobody' }), 'agent_unknown'],
    ['another version', (step) => ({ ...step, intent: { ...step.intent, target: 'probe@2' } }), 'skill_unknown'],
    [
      'a skill the agent does not have',
      (step) => ({ ...step, intent: { ...step.intent, target: 'orders.lookup@1' } }),
      'skill_unknown',
    ],
    [
      'content that is not arguments',
      (step) => ({ ...step, intent: { ...step.intent, argumentsDigest: on.contextDigest } }),
      'content_missing',
    ],
    ['a run outcome', (step) => ({ ...step, intent: { ...step.intent, kind: 'run.outcome' } }), 'warrant_refused'],
    [
      'a model of no provider',
      (step) => ({ ...step, intent: { ...step.intent, kind: 'model.call', target: 'none/x' } }),
      'model_unknown',
    ],
  ])('nothing is redeemed where the step cannot be done: %s', async (_, change, code) => {
    await rig.allow(on.run, on.skillIntent());
    expect(await runStep(probeDeps(rig), change(on.stepOf(on.skillIntent())), inFlight())).toEqual(refusedFor(code));
    expect([seen.calls, await on.rows('attempts')]).toEqual([[], []]);
  });

  it('a step that was told to stop before it began redeems nothing', async () => {
    await rig.allow(on.run, on.skillIntent());
    const flight = inFlight();
    flight.stop();
    expect(await runStep(probeDeps(rig), on.stepOf(on.skillIntent()), flight)).toEqual(refusedFor('warrant_refused'));
    expect([seen.calls, await on.rows('attempts')]).toEqual([[], []]);
  });

  it('the registry itself calls nothing without the token, or twice with one', async () => {
    const { registry } = probeDeps(rig);
    const forged = Object.freeze({}) as Redeemed;
    const token = redeemed();
    const context = {
      run: on.run,
      idempotencyKey: 'k',
      signal: new AbortController().signal,
      log: probeDeps(rig).log,
      heartbeat: () => undefined,
    };
    const request = { system: '', tools: [], messages: [], maxOutputTokens: 1, attempt: 1 };
    await expect(registry.runSkill(forged, 'probe@3', { n: 1 }, context)).rejects.toThrow('needs a warrant');
    await expect(registry.callModel(forged, 'echo/one', request, context.signal)).rejects.toThrow('needs a warrant');
    expect(seen.calls).toEqual([]);
    await registry.runSkill(token, 'probe@3', { n: 1 }, context);
    await expect(registry.runSkill(token, 'probe@3', { n: 1 }, context)).rejects.toThrow('needs a warrant');
    expect(seen.calls).toEqual(['skill 1 k']);
  });

  it('the login has no other way to begin or to rewrite an attempt', async () => {
    await rig.allow(on.run, on.skillIntent());
    await runStep(probeDeps(rig), on.stepOf(on.skillIntent()), inFlight());
    const denied = { code: '42501' };
    const insert = `INSERT INTO execute.attempts (run_id, step, attempt, action_digest, nonce) VALUES ($1, 2, 1, 'x', gen_random_uuid())`;
    await expect(rig.execute.query(insert, [uuidOf(on.run)])).rejects.toMatchObject(denied);
    await expect(rig.execute.query('UPDATE execute.results SET input_tokens = 0')).rejects.toMatchObject(denied);
    await expect(rig.execute.query('DELETE FROM execute.results')).rejects.toMatchObject(denied);
    await expect(rig.execute.query('SELECT execute.fence($1, 1, 1)', [uuidOf(on.run)])).rejects.toMatchObject(denied);
    await expect(rig.stack.admin.query('UPDATE execute.results SET input_tokens = 0')).rejects.toMatchObject({
      code: '55000',
    });
    await expect(rig.stack.admin.query('TRUNCATE execute.results')).rejects.toMatchObject({ code: '55000' });
    await expect(rig.stack.admin.query('TRUNCATE execute.attempts CASCADE')).rejects.toMatchObject({ code: '55000' });
    const unwarranted = `INSERT INTO execute.attempts (run_id, step, attempt, action_digest, nonce) VALUES ($1, 2, 1, $2, gen_random_uuid())`;
    await expect(rig.stack.admin.query(unwarranted, [uuidOf(on.run), 'd'.repeat(64)])).rejects.toMatchObject({
      code: '23503',
    });
    const lying = `INSERT INTO execute.results (run_id, step, attempt, status, cause, digest) VALUES ($1, 1, 1, 'unknown', 'x', $2)`;
    await expect(rig.execute.query(lying, [uuidOf(on.run), 'e'.repeat(64)])).rejects.toMatchObject({ code: '23514' });
  });
});
