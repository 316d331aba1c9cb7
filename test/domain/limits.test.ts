import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { DEFAULT_LIMITS, tighten, type Limits } from '../../src/domain/limits.js';
import { stricter, PROFILES } from '../../src/domain/profiles.js';

const count = fc.nat({ max: 1000 });
const skill = fc.constantFrom('a', 'b', 'constructor', 'toString', '__proto__x');
const limits: fc.Arbitrary<Limits> = fc.record({
  usdMicros: fc.bigInt({ min: 0n, max: 10n ** 17n }).map(String),
  tokens: count,
  steps: count,
  modelCalls: count,
  wallTimeMs: count,
  noProgress: count,
  skillCalls: fc.dictionary(skill, count),
});

/** The wanted property, spelled out: each limit is the lesser of the two that were given. */
function least(granted: Limits, asked: Partial<Limits>, key: keyof Limits): bigint {
  const values = [granted[key], asked[key] ?? granted[key]].map((value) => BigInt(value as string | number));
  return values.reduce((a, b) => (a < b ? a : b));
}

describe('tighten', () => {
  it('takes the lesser of each limit, and nobody is granted more than the agent has', () => {
    const asked = limits.chain((all) =>
      fc
        .subarray(Object.keys(all) as (keyof Limits)[])
        .map((keys): Partial<Limits> => Object.fromEntries(keys.map((key) => [key, all[key]]))),
    );
    fc.assert(
      fc.property(limits, asked, (granted, wish) => {
        const got = tighten(granted, wish);
        for (const key of ['usdMicros', 'tokens', 'steps', 'modelCalls', 'wallTimeMs'] as const)
          expect(BigInt(got[key])).toBe(least(granted, wish, key));
        const skills = new Set([...Object.keys(granted.skillCalls), ...Object.keys(wish.skillCalls ?? {})]);
        expect(new Set(Object.keys(got.skillCalls))).toEqual(skills);
        for (const [name, calls] of Object.entries(got.skillCalls)) {
          const given = [granted.skillCalls, wish.skillCalls ?? {}].flatMap((all) =>
            Object.entries(all).flatMap(([key, value]) => (key === name ? [value] : [])),
          );
          expect(calls).toBe(Math.min(...given));
        }
      }),
    );
  });

  it('asked for nothing grants what the agent has', () => {
    expect(tighten(DEFAULT_LIMITS, {})).toEqual(DEFAULT_LIMITS);
  });

  it('takes a name that every object has as the name of a skill', () => {
    expect(tighten(DEFAULT_LIMITS, { skillCalls: { constructor: 2 } }).skillCalls).toEqual({ constructor: 2 });
  });
});

describe('stricter', () => {
  it('never weakens the profile in force', () => {
    const order = ['OBSERVE_ONLY', 'STANDARD', 'STRICT'];
    for (const inForce of PROFILES)
      for (const asked of [undefined, ...PROFILES])
        expect(order.indexOf(stricter(inForce, asked))).toBe(
          Math.max(order.indexOf(inForce), asked === undefined ? 0 : order.indexOf(asked)),
        );
  });
});
