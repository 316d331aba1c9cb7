import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { canonicalJson, CanonicalJsonError } from '../../src/domain/canonical-json.js';
import type { Json } from '../../src/domain/json.js';

const text = fc.string({ unit: 'grapheme' });
const { json } = fc.letrec<{ json: Json }>((tie) => ({
  json: fc.oneof(
    { maxDepth: 4 },
    fc.constant(null),
    fc.boolean(),
    fc.maxSafeInteger(),
    text,
    fc.array(tie('json'), { maxLength: 4 }),
    fc.dictionary(text, tie('json'), { maxKeys: 4 }),
  ),
}));

/** The same value with every object's members in another order. */
function shuffled(value: Json): Json {
  if (Array.isArray(value)) return (value as readonly Json[]).map(shuffled);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .reverse()
      .map(([key, item]) => [key, shuffled(item)]),
  );
}

function problemOf(value: unknown): string {
  try {
    return `accepted as ${canonicalJson(value as Json)}`;
  } catch (error) {
    if (!(error instanceof CanonicalJsonError)) throw error;
    return error.message;
  }
}

describe('canonical JSON', () => {
  it('is what JSON.parse gives back, and is one text whatever the order of members', () => {
    fc.assert(
      fc.property(json, (value) => {
        const once = canonicalJson(value);
        expect(canonicalJson(JSON.parse(once) as Json)).toBe(once);
        expect(JSON.parse(once)).toEqual(JSON.parse(JSON.stringify(value)));
        expect(canonicalJson(shuffled(value))).toBe(once);
      }),
      { numRuns: 300 },
    );
  });

  it('sorts by UTF-16 units, as RFC 8785 does, and writes no white space', () => {
    expect(canonicalJson({ '\u{1F600}': 1, '\uFB33': 2, a: [true, null, -0], '': 'é\n"\u007f' })).toBe(
      '{"":"é\\n\\"\u007f","a":[true,null,0],"\u{1F600}":1,"\uFB33":2}',
    );
  });

  const cycle: { self?: unknown } = {};
  cycle.self = cycle;
  const hole: unknown[] = [1];
  hole[2] = 3;

  it.each([
    ['a fraction', { a: [0, 1.5] }, '/a/1: `1.5` is not an integer within ±2^53'],
    ['NaN', Number.NaN, '/: `NaN` is not an integer within ±2^53'],
    ['infinity', Number.POSITIVE_INFINITY, '/: `Infinity` is not an integer within ±2^53'],
    ['2^53', 2 ** 53, '/: `9007199254740992` is not an integer within ±2^53'],
    ['half a pair', ['\uD83D'], '/0: a lone surrogate is not text'],
    ['half a pair in a name', { '\uDE00': 1 }, '/: a lone surrogate is not text'],
    ['undefined', { a: undefined }, '/a: a undefined is not JSON'],
    ['a hole', hole, '/1: a undefined is not JSON'],
    ['a bigint', 1n, '/: a bigint is not JSON'],
    ['a function', () => 1, '/: a function is not JSON'],
  ])('refuses %s, naming the place', (_name, value, problem) => {
    expect(problemOf(value)).toBe(problem);
  });

  it('refuses a cycle and what is nested deeper than 64 levels, and takes 64', () => {
    const nested = (levels: number): unknown => (levels === 0 ? 1 : [nested(levels - 1)]);
    expect(problemOf(cycle)).toContain('nested deeper than 64 levels');
    expect(problemOf(nested(65))).toContain('nested deeper than 64 levels');
    expect(problemOf(nested(64))).toContain('accepted');
  });
});
