/** What a call is settled by: the table that its decision named, its own limits, its own bound. On a real PostgreSQL. */
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { finalize } from '../../src/decide/lifecycle/close.js';
import { createPriceTables } from '../../src/decide/ledger/price-tables.js';
import { createPriceTable } from '../../src/decide/ledger/prices.js';
import { openStepBatches } from '../../src/decide/step/step-batches.js';
import { decideStep } from '../../src/decide/step/step.js';
import { uuidOf } from '../../src/domain/ids.js';
import type { StepAnswer } from '../../src/domain/protocol/decide.js';
import { drift } from './ledger-rig.js';
import { createStepRig, executed, modelCall, skillCall, type StepRig } from './step-rig.js';

let rig: StepRig;
beforeAll(async () => {
  rig = await createStepRig();
});
afterAll(() => rig.close());

const reasonsOf = (answer: StepAnswer): readonly string[] =>
  answer.kind === 'decided' && answer.ruling.effect !== 'allow' ? answer.ruling.reasons.map(({ code }) => code) : [];

describe('a step', () => {
  it.each([
    ['an answer one token above its limit, whatever the prompt left over', { tokens: 1_000, output: 500 }, 501],
    ['a prompt above its bound, whatever the answer left over', { tokens: 99, output: 500 }, 1],
  ])('of a run whose provider took more than its grant is denied: %s', async (_what, ask, output) => {
    const { opened, caller } = await rig.open();
    const free = { ...ask, model: 'scripted/free' };
    await executed(rig, opened.run, 1, await rig.step(caller, await modelCall(rig, opened.run, 1, free)), output);
    expect(reasonsOf(await rig.step(caller, skillCall(opened.run, 2, 'look')))).toEqual(['overrun']);
    // Said again of what is settled.
    expect(reasonsOf(await rig.step(caller, skillCall(opened.run, 3, 'look')))).toEqual(['overrun']);
    expect(
      await rig.decide.query(
        'SELECT state, tokens, output_tokens, granted_output FROM decide.reservations WHERE run_id = $1 AND step = 1',
        [uuidOf(opened.run)],
      ),
    ).toEqual([
      { state: 'settled', tokens: BigInt(100 + output), output_tokens: BigInt(output), granted_output: 500n },
    ]);
  });

  it('settles by the prices that its decision named, not by those in force now', async () => {
    const { opened, caller } = await rig.open();
    const { run } = opened;
    await rig.decide.query('INSERT INTO decide.price_tables (digest, body) VALUES ($1, $2) ON CONFLICT DO NOTHING', [
      rig.deps.prices.digest,
      rig.deps.prices.body,
    ]);
    const first = await rig.step(caller, await modelCall(rig, run, 1));
    await executed(rig, run, 1, first, 50);
    const dearer = createPriceTable({ 'scripted/a': { input_cost_per_token: 3e-6, output_cost_per_token: 3e-6 } });
    const changed = { ...rig.deps, prices: dearer, tables: createPriceTables(dearer) };
    const request = await modelCall(rig, run, 2, { output: 10 });
    const inBatch = openStepBatches(rig.decide, changed, console);
    const second =
      (await inBatch({ caller, request })) ?? (await rig.as((sql) => decideStep(sql, changed, caller, request)));
    expect(second).toMatchObject({ ruling: { effect: 'allow' }, digests: { priceTableDigest: dearer.digest } });
    const moneyOf = () =>
      rig.decide.query('SELECT spent_micros, bound_micros FROM decide.reservations WHERE run_id = $1 ORDER BY step', [
        uuidOf(run),
      ]);
    expect(await moneyOf()).toEqual([
      { spent_micros: 150n, bound_micros: 200n },
      { spent_micros: null, bound_micros: 330n },
    ]);
    await executed(rig, run, 2, second, 10);
    // The other way round, at the end of the run: by a worker that still has the old table.
    await rig.decide.query('INSERT INTO decide.price_tables (digest, body) VALUES ($1, $2)', [
      dearer.digest,
      dearer.body,
    ]);
    await rig.as((sql) => finalize(sql, rig.deps, caller, { run, outcome: 'succeeded', detail: '', answer: null }));
    expect(await moneyOf()).toMatchObject([{ spent_micros: 150n }, { spent_micros: 330n }]);
    expect(await drift(rig.decide)).toEqual([]);
  });
});
