import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { RunResult } from '../../src/workflows/messages/messages.js';
import { HANGS_AT_FIRST, MAX_OUTPUT_TOKENS, PRICE } from './deployment.js';
import { boundOf, decisionsOf, ledgerOf, requestsByAttempt, verdictOf, warrantsOf } from './evidence.js';
import { createFaultRig, type FaultRig } from './rig.js';

describe('the execute worker is killed while the model holds its request, and started again', () => {
  let rig: FaultRig;
  let result: RunResult;
  let bound: Awaited<ReturnType<typeof boundOf>>;

  beforeAll(async () => {
    rig = await createFaultRig(HANGS_AT_FIRST);
    const [execute] = await Promise.all([rig.worker(['execute']), rig.worker(['control', 'audit'])]);
    const handle = await rig.start('rok/acme/killed');
    await rig.asked(1);
    await execute.kill();
    await rig.worker(['execute']);
    result = await handle.result();
    bound = await boundOf(rig.stack, result.run, 1, 1);
  }, 240_000);
  afterAll(() => rig.close());

  it('the run succeeds, and pays for the attempt whose fate nobody knows', () => {
    expect(result).toEqual({
      run: expect.stringMatching(/^run_/),
      phase: 'COMPLETED',
      outcome: 'succeeded',
      detail: '',
      verdict: 'COMPLETE',
      receipt: 1,
      decisions: { allow: 8, deny: 0, pause: 0 },
      attempts: 6,
      refusedCalls: 0,
      spentMicros: (bound.micros + 460n).toString(),
      traceEvents: expect.any(Number),
      answer: expect.stringMatching(/^[0-9a-f]{64}$/),
    });
  });

  it('the unknown attempt is forfeited at its bound, the others cost what they used', async () => {
    const model = { kind: 'model.call', state: 'settled', result: 'succeeded' };
    const skill = { kind: 'skill.call', state: 'settled', result: 'succeeded', spent: 0n };
    expect(await warrantsOf(rig.stack, result.run)).toEqual([
      { at: '1.1', kind: 'model.call', state: 'forfeited', result: 'unknown', spent: bound.micros },
      { at: '1.2', ...model, spent: 140n },
      { at: '2.1', ...skill },
      { at: '3.1', ...model, spent: 160n },
      { at: '4.1', ...skill },
      { at: '5.1', ...model, spent: 160n },
    ]);
    const inputTokens = bound.tokens - BigInt(MAX_OUTPUT_TOKENS);
    expect(bound.micros).toBe(inputTokens * BigInt(PRICE.input) + BigInt(MAX_OUTPUT_TOKENS * PRICE.output));
    expect(await ledgerOf(rig.stack, result.run)).toEqual({
      spent: bound.micros + 460n,
      reserved: 0n,
      over: 0n,
      drift: [],
    });
  });

  it('every request in the log of the model belongs to one attempt, and every attempt made one', async () => {
    expect(rig.requests().map(({ n, turn }) => ({ n, turn }))).toEqual([
      { n: 1, turn: 0 },
      { n: 2, turn: 0 },
      { n: 3, turn: 1 },
      { n: 4, turn: 2 },
    ]);
    expect(await requestsByAttempt(rig.stack, result.run, rig.requests())).toEqual({
      '1.1': [1],
      '1.2': [2],
      '3.1': [3],
      '5.1': [4],
    });
  });

  it('each try was decided once, and the verdict notes the unknown one', async () => {
    expect(await decisionsOf(rig.stack, result.run)).toEqual([
      '0.1 run.start allow',
      '1.1 model.call allow',
      '1.2 model.call allow',
      '2.1 skill.call allow',
      '3.1 model.call allow',
      '4.1 skill.call allow',
      '5.1 model.call allow',
      '6.1 run.outcome allow',
    ]);
    expect(await verdictOf(rig.stack, result.run)).toMatchObject({
      status: 'COMPLETE',
      revision: 1,
      blocking: [],
      notes: ['UNKNOWN_RESULT step 1 attempt 1'],
    });
  });
});
