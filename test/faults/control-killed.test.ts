import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import {
  finalizeRunSignal,
  pauseUpdate,
  resumeUpdate,
  statusQuery,
  type RunResult,
  type ActorResponse,
} from '../../src/workflows/messages/messages.js';
import { CONVERSATION } from './deployment.js';
import { actsOf, decisionsOf, ledgerOf, requestsByAttempt, verdictOf, warrantsOf } from './evidence.js';
import { createFaultRig, type FaultRig } from './rig.js';
import { until } from './until.js';

const operator = { actor: { local: 'op', roles: ['operator'] } };

describe('the control worker dies between the commit of a decision and the completion of its workflow task', () => {
  let rig: FaultRig;
  let result: RunResult;
  let steered: readonly ActorResponse[];

  beforeAll(async () => {
    rig = await createFaultRig(CONVERSATION);
    const [first] = await Promise.all([
      rig.worker(['control'], { ROK_CRASH_AT: 'decide.step.after:2' }),
      rig.worker(['execute', 'audit']),
    ]);
    const handle = await rig.start('rok/acme/crashed');
    expect(await first.exited).toBe('signal SIGKILL');
    // Meanwhile: a nudge that comes too early, and an operator who wants a pause.
    await handle.signal(finalizeRunSignal, { by: 'test' });
    const paused = handle.executeUpdate(pauseUpdate, { args: [operator] });
    // Whatever fails below is what the test should say, not that nobody answered this.
    paused.catch(() => undefined);
    const second = await rig.worker(['control'], { ROK_CRASH_AT: 'decide.finalize.after' });
    await until('the hold', async () => (await handle.query(statusQuery)).holds[0]);
    const resumed = await handle.executeUpdate(resumeUpdate, { args: [operator] });
    expect(await second.exited).toBe('signal SIGKILL');
    await handle.signal(finalizeRunSignal, { by: 'test' });
    await rig.worker(['control']);
    result = await handle.result();
    steered = [await paused, resumed];
  }, 240_000);
  afterAll(() => rig.close());

  it('the run succeeds and is COMPLETE, as if nothing had happened', async () => {
    expect(result).toEqual({
      run: expect.stringMatching(/^run_/),
      phase: 'COMPLETED',
      outcome: 'succeeded',
      detail: '',
      verdict: 'COMPLETE',
      receipt: 1,
      decisions: { allow: 7, deny: 0, pause: 0 },
      attempts: 5,
      refusedCalls: 0,
      spentMicros: '460',
      traceEvents: expect.any(Number),
      answer: expect.stringMatching(/^[0-9a-f]{64}$/),
    });
    expect(await verdictOf(rig.stack, result.run)).toMatchObject({ status: 'COMPLETE', blocking: [], notes: [] });
  });

  it('what was decided before the crash is decided once, and so is what the operator asked meanwhile', async () => {
    expect(await decisionsOf(rig.stack, result.run)).toEqual([
      '0.1 run.start allow',
      '1.1 model.call allow',
      '2.1 skill.call allow',
      '3.1 model.call allow',
      '4.1 skill.call allow',
      '5.1 model.call allow',
      '6.1 run.outcome allow',
    ]);
    expect(await actsOf(rig.stack, result.run)).toEqual([
      'start by local:alice',
      'pause by local:op',
      'resume by local:op',
    ]);
    expect(steered).toEqual([
      { actor: 'local:op' },
      { actor: 'local:op', hold: 1, resolution: 'resumed', given: 0, quorum: 1 },
    ]);
  });

  it('every warrant is used once and paid once', async () => {
    const settled = { state: 'settled', result: 'succeeded' };
    expect(await warrantsOf(rig.stack, result.run)).toEqual([
      { at: '1.1', kind: 'model.call', ...settled, spent: 140n },
      { at: '2.1', kind: 'skill.call', ...settled, spent: 0n },
      { at: '3.1', kind: 'model.call', ...settled, spent: 160n },
      { at: '4.1', kind: 'skill.call', ...settled, spent: 0n },
      { at: '5.1', kind: 'model.call', ...settled, spent: 160n },
    ]);
    expect(await ledgerOf(rig.stack, result.run)).toEqual({ spent: 460n, reserved: 0n, over: 0n, drift: [] });
    expect(await requestsByAttempt(rig.stack, result.run, rig.requests())).toEqual({
      '1.1': [1],
      '3.1': [2],
      '5.1': [3],
    });
  });
});
