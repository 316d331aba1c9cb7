/**
 * The ledger against a naive model, with several acts at once and crashes between any two statements: there must be one
 * order of the acts in which the model gives every answer that was given, and ends with the same balances.
 */
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { randomUUID } from 'node:crypto';
import { proofSize } from '../proof-size.js';
import { actOnLedger } from './ledger-acts.js';
import { balances, budget, createLedgerRig, drift, openRun, type LedgerRig } from './ledger-rig.js';
import { explained, firstState, type Act, type Chosen, type ModelState, type Numbered } from './ledger-state.js';

let rig: LedgerRig;
beforeAll(async () => {
  rig = await createLedgerRig();
});
afterAll(() => rig.close());

const numRuns = proofSize({ quick: 25, full: 250 });
const seed = Number(process.env['SEED'] ?? '7');

/** Which statement it does not live to make; most live. */
const crashAt = fc.oneof({ weight: 3, arbitrary: fc.constant(null) }, { weight: 1, arbitrary: fc.nat({ max: 4 }) });
const run = fc.nat({ max: 1 });
const act: fc.Arbitrary<Act> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({
      act: fc.constant('reserve' as const),
      run,
      micros: fc.nat({ max: 60 }),
      enforced: fc.boolean().map((no) => !no),
      crashAt,
    }),
  },
  { weight: 2, arbitrary: fc.record({ act: fc.constant('redeem' as const), which: fc.nat({ max: 9 }), crashAt }) },
  {
    weight: 4,
    arbitrary: fc.record({
      act: fc.constantFrom('settled' as const, 'settled' as const, 'released' as const, 'forfeited' as const),
      which: fc.nat({ max: 9 }),
      micros: fc.nat({ max: 80 }),
      crashAt,
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      act: fc.constant('cap' as const),
      of: fc.constantFrom('tenant' as const, 'run' as const),
      cap: fc.nat({ max: 250 }),
      crashAt,
    }),
  },
);
/** Batches of up to three, each batch at once. */
const story = fc.record({
  run: fc.nat({ max: 150 }),
  tenant: fc.nat({ max: 200 }),
  calls: fc.nat({ max: 8 }),
  batches: fc.array(fc.array(act, { minLength: 1, maxLength: 3 }), { minLength: 3, maxLength: 10 }),
});

it(`agrees with the model in some order of what happened at once, ${numRuns} stories`, async () => {
  const seen = { acts: 0, crashed: 0, allowed: 0, refused: 0 };
  await fc.assert(
    fc.asyncProperty(story, async ({ batches, ...caps }) => {
      const tenant = `t-${randomUUID()}`;
      const observed = (): Promise<string> => openRun(rig.decide, tenant, {}, 'OBSERVE_ONLY');
      const runs = [await observed(), await observed()];
      for (const id of runs) await budget(rig.decide, 'run', id, caps.run);
      await budget(rig.decide, 'tenant', tenant, caps.tenant);
      await budget(rig.decide, 'tenant', tenant, caps.calls, 'calls');
      let states: readonly ModelState[] = [firstState(caps)];
      const asked: Chosen[] = [];
      let step = 0;
      for (const batch of batches) {
        const before = [...asked];
        const numbered = batch.map((one): Numbered => {
          step += 1;
          if (one.act === 'reserve') asked.push({ run: one.run, step });
          return {
            ...one,
            step,
            chosen: 'which' in one ? (before[one.which % Math.max(before.length, 1)] ?? null) : null,
          };
        });
        const answers = await Promise.all(numbered.map((one) => actOnLedger(rig, { tenant, runs }, one)));
        const kept = {
          ...(await balances(rig.decide, tenant)),
          first: (await balances(rig.decide, runs[0] ?? ''))['run/usd_micros'],
          second: (await balances(rig.decide, runs[1] ?? ''))['run/usd_micros'],
        };
        const ends = explained(states, numbered, answers, kept);
        // Where no order explains it, this shows what there was to explain.
        expect({ ends, numbered, answers, kept, states }).toMatchObject({
          ends: [expect.anything(), ...ends.slice(1)],
        });
        states = ends;
        seen.acts += batch.length;
        seen.crashed += answers.filter((one) => one === 'crashed' || one === 'lost').length;
        seen.allowed += answers.filter((one) => one === 'allowed').length;
        seen.refused += answers.filter((one) => one === 'refused').length;
      }
      expect(await drift(rig.decide)).toEqual([]);
    }),
    { numRuns, seed, interruptAfterTimeLimit: 200_000, markInterruptAsFailure: true },
  );
  process.stdout.write(`ledger with crashes, seed ${seed}: ${JSON.stringify(seen)}\n`);
  expect(Math.min(seen.crashed, seen.allowed, seen.refused)).toBeGreaterThan(seen.acts / 20);
}, 220_000);
