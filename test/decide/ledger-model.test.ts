/** The ledger against a naive model, under any order of acts on two runs that share a tenant's money and calls. */
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { randomUUID } from 'node:crypto';
import {
  balances,
  budget,
  createLedgerRig,
  drift,
  openRun,
  redeem,
  reserve,
  settle,
  type LedgerRig,
} from './ledger-rig.js';

let rig: LedgerRig;
beforeAll(async () => {
  rig = await createLedgerRig();
});
afterAll(() => rig.close());

type Act =
  | { readonly act: 'reserve'; readonly run: number; readonly micros: number }
  | { readonly act: 'redeem' | 'settled' | 'released' | 'forfeited'; readonly which: number; readonly micros: number };
type Account = { cap: number; spent: number; reserved: number; over: number };
type Warrant = { run: number; step: number; micros: number; state: string };

const act: fc.Arbitrary<Act> = fc.oneof(
  fc.record({ act: fc.constant('reserve' as const), run: fc.nat({ max: 1 }), micros: fc.nat({ max: 60 }) }),
  fc.record({
    act: fc.constantFrom(
      'redeem' as const,
      'redeem' as const,
      'settled' as const,
      'released' as const,
      'forfeited' as const,
    ),
    which: fc.nat({ max: 8 }),
    micros: fc.nat({ max: 80 }),
  }),
);

const account = (cap: number): Account => ({ cap, spent: 0, reserved: 0, over: 0 });
const fits = (of: Account, amount: number): boolean => of.spent + of.reserved + of.over + amount <= of.cap;
function close(of: Account, amount: number, used: number): void {
  of.reserved -= amount;
  of.spent += Math.min(used, amount);
  of.over += Math.max(used - amount, 0);
}

it('agrees with the model at every act, and journal and balances agree with each other', async () => {
  let allowed = 0;
  let refused = 0;
  const caps = fc.record({ run: fc.nat({ max: 150 }), tenant: fc.nat({ max: 200 }), calls: fc.nat({ max: 8 }) });
  await fc.assert(
    fc.asyncProperty(caps, fc.array(act, { minLength: 5, maxLength: 30 }), async (cap, acts) => {
      const tenant = `t-${randomUUID()}`;
      const observed = (): Promise<string> => openRun(rig.decide, tenant, {}, 'OBSERVE_ONLY');
      const runs = [await observed(), await observed()];
      const ofRun = runs.map(() => account(cap.run));
      const money = account(cap.tenant);
      const calls = account(cap.calls);
      for (const run of runs) await budget(rig.decide, 'run', run, cap.run);
      await budget(rig.decide, 'tenant', tenant, cap.tenant);
      await budget(rig.decide, 'tenant', tenant, cap.calls, 'calls');
      const warrants: Warrant[] = [];
      const runOf = (at: number): string => runs[at] ?? '';
      const accountsOf = (at: number): readonly Account[] => [ofRun[at] ?? account(0), money];

      for (const [at, one] of acts.entries()) {
        if (one.act === 'reserve') {
          const ok = accountsOf(one.run).every((of) => fits(of, one.micros)) && fits(calls, 1);
          expect((await reserve(rig.decide, runOf(one.run), at + 1, { micros: one.micros })).ok).toBe(ok);
          if (ok) allowed += 1;
          else refused += 1;
          if (!ok) continue;
          for (const of of accountsOf(one.run)) of.reserved += one.micros;
          calls.reserved += 1;
          warrants.push({ run: one.run, step: at + 1, micros: one.micros, state: 'issued' });
          continue;
        }
        const warrant = warrants[one.which % Math.max(warrants.length, 1)];
        if (warrant === undefined) continue;
        if (one.act === 'redeem') {
          const answer = await redeem(rig.execute, runOf(warrant.run), warrant.step);
          expect(answer).toBe(warrant.state === 'issued' ? 'ok' : `warrant_${warrant.state}`);
          if (answer === 'ok') warrant.state = 'redeemed';
          continue;
        }
        const applies = warrant.state === (one.act === 'released' ? 'issued' : 'redeemed');
        const answer = await settle(rig.decide, runOf(warrant.run), warrant.step, one.act, one.micros);
        expect(answer.settled).toBe(applies ? 1 : 0);
        if (!applies) continue;
        const used = { settled: one.micros, released: 0, forfeited: warrant.micros }[one.act];
        for (const of of accountsOf(warrant.run)) close(of, warrant.micros, used);
        close(calls, 1, one.act === 'released' ? 0 : 1);
        warrant.state = one.act;
      }

      const kept = (of: Account) => ({ spent: BigInt(of.spent), reserved: BigInt(of.reserved), over: BigInt(of.over) });
      const made = acts.some((one) => one.act === 'reserve');
      if (made)
        expect(await balances(rig.decide, tenant)).toEqual({
          'tenant/usd_micros': kept(money),
          'tenant/calls': kept(calls),
        });
      for (const [at, run] of runs.entries())
        if (acts.some((one) => one.act === 'reserve' && one.run === at))
          expect(await balances(rig.decide, run)).toEqual({ 'run/usd_micros': kept(ofRun[at] ?? account(0)) });
      expect(await drift(rig.decide)).toEqual([]);
    }),
    { numRuns: 50 },
  );
  // The property was not kept by never allowing, or never refusing, anything.
  expect(Math.min(allowed, refused)).toBeGreaterThan(20);
}, 120_000);
