import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { canonicalJson } from '../../src/domain/canonical-json.js';
import { isActorClaim, parseRunSpec, SPEC_BOUNDS } from '../../src/domain/run-spec.js';
import { isStorable } from '../../src/domain/text.js';

const good = {
  tenant: 'acme',
  agent: 'refund-desk',
  input: { orders: ['A-1001'] },
  id: 'case-7',
  actor: { local: 'alice', roles: ['requester'] },
  limits: { usdMicros: '500000', steps: 3, skillCalls: { 'orders.refund': 1 } },
  deadline: '2026-11-23T12:00:00+01:00',
  labels: { team: 'support' },
  profile: 'STRICT',
};

const problemsOf = (value: unknown): readonly string[] => {
  const parsed = parseRunSpec(value);
  return parsed.ok ? [] : parsed.problems;
};

/** Small relatives of the well-known list; the whole list is in the corpus. */
const naughty: readonly string[] = [
  '',
  ' ',
  '\0',
  'a\0b',
  '\uD83D',
  '\uDE00x',
  'undefined',
  'null',
  '__proto__',
  'constructor',
  'toString',
  '../../etc',
  "'; DROP TABLE decide.runs; --",
  '<script>',
  '%s%n',
  '${7*7}',
  '\u202Egnp',
  'ﷺ',
  '👩‍👩‍👧',
  '\uFEFF',
  '\r\n',
  '1e999',
  'NaN',
  '-1',
  '9007199254740993',
  'x'.repeat(10_000),
];

describe('a spec', () => {
  it('is taken as it is when it is well formed', () => {
    expect(parseRunSpec(good)).toEqual({ ok: true, spec: good });
  });

  it('with five mistakes names all five', () => {
    const { tenant: _tenant, ...rest } = good;
    expect(
      problemsOf({
        ...rest,
        agent: 'has space',
        limits: { steps: -1 },
        deadline: 'tomorrow',
        profile: 'LAX',
      }),
    ).toEqual([
      'tenant: tenant must be a string',
      'agent: agent must start with a letter or digit and hold only letters, digits, `.`, `_` and `-`',
      'limits.steps: limits.steps must not be negative',
      'deadline: deadline must be an RFC 3339 time',
      'profile: profile must be one of STRICT, STANDARD, OBSERVE_ONLY',
    ]);
  });

  it.each([null, undefined, 7, 'text', [], true, 1n, Symbol('s'), () => 1])(
    'that is no object is one problem: %p',
    (value) => {
      expect(problemsOf(value)).toHaveLength(1);
    },
  );

  it('names fields that it does not know', () => {
    expect(problemsOf({ ...good, budget: 1, actor: { local: 'a', admin: true } })).toEqual([
      'actor: `admin` is not a field',
      'spec: `budget` is not a field',
    ]);
  });

  it.each([
    ['a negative cap', { usdMicros: '-1' }],
    ['NaN', { usdMicros: 'NaN' }],
    ['a fraction of a micro', { usdMicros: '0.5' }],
    ['money as a number', { usdMicros: 5 }],
    ['a fractional count', { steps: 1.5 }],
    ['NaN as a count', { steps: Number.NaN }],
    ['2^53 + 1 tokens', { tokens: 2 ** 53 + 1 }],
    ['a negative skill limit', { skillCalls: { a: -1 } }],
  ])('with %s is refused', (_name, limits) => {
    const problems = problemsOf({ ...good, limits });
    expect(problems).not.toEqual([]);
    expect(problems.filter((problem) => !problem.startsWith(`limits.${Object.keys(limits)[0] ?? ''}`))).toEqual([]);
  });

  it.each(naughty.map((text) => [JSON.stringify(text.slice(0, 20)), text]))(
    'bears %s in every field',
    (_name, text) => {
      const specs: readonly unknown[] = [
        text,
        { [text]: text },
        { ...good, [text]: 1 },
        ...['tenant', 'agent', 'id', 'deadline', 'profile', 'input', 'actor', 'limits', 'labels'].map((field) => ({
          ...good,
          [field]: text,
        })),
        { ...good, actor: { local: text, roles: [text] } },
        { ...good, actor: { assertion: text } },
        { ...good, labels: { [text]: text } },
        { ...good, limits: { usdMicros: text, skillCalls: { [text]: 1 } } },
      ];
      for (const spec of specs) {
        const parsed = parseRunSpec(spec);
        // What is kept in PostgreSQL and in snapshots can be kept.
        if (parsed.ok) {
          const { input: _input, ...kept } = parsed.spec;
          expect(isStorable(canonicalJson(JSON.parse(JSON.stringify(kept)) as never))).toBe(true);
          expect(JSON.stringify(kept)).not.toContain('\\u0000');
        } else {
          expect(parsed.problems.length).toBeGreaterThan(0);
          for (const problem of parsed.problems) {
            expect(isStorable(problem)).toBe(true);
            expect(problem.length).toBeLessThanOrEqual(SPEC_BOUNDS.problemChars);
          }
        }
      }
    },
  );

  const nested = (levels: number): unknown => JSON.parse(`${'['.repeat(levels)}${']'.repeat(levels)}`);
  it.each([
    ['a fraction', 0.1],
    ['1e308', 1e308],
    ['an integer above 2^53', 2 ** 53 + 2],
    ['one below', -(2 ** 53)],
    ['half a surrogate pair', 'a\uD83D'],
    ['half a surrogate pair in a key', { '\uDE00': 1 }],
    ['66 levels', nested(66)],
    ['100,000 levels', nested(100_000)],
    ['nothing', undefined],
    ['NaN', { a: [Number.NaN] }],
  ])('whose input is %s is refused: it has no exact form', (_name, input) => {
    expect(problemsOf({ ...good, input })).toEqual([expect.stringMatching(/^input: input /)]);
  });

  it('keeps an input as it is, whatever its members are called', () => {
    const input: unknown = JSON.parse('{"__proto__":{"a":1},"constructor":[2],"b":"\\u0000"}');
    const parsed = parseRunSpec({ ...good, input });
    expect(parsed.ok && parsed.spec.input).toBe(input);
  });

  it('refuses a label or a skill `__proto__`, which a copy would lose, and a time that no calendar has', () => {
    const proto: unknown = JSON.parse('{"__proto__":"x"}');
    expect(problemsOf({ ...good, labels: proto })).toEqual(['labels: a label must not be named `__proto__`']);
    expect(problemsOf({ ...good, limits: { skillCalls: proto } })).toEqual([
      'limits.skillCalls: a skill must not be named `__proto__`',
    ]);
    expect(problemsOf({ ...good, deadline: '0000-01-01T00:00:00Z' })).toEqual([
      'deadline: deadline must be between 1970 and 9999',
    ]);
  });

  it('that is anything at all is answered', () => {
    fc.assert(
      fc.property(fc.anything({ withNullPrototype: true, withSparseArray: true, withBigInt: true }), (value) => {
        expect(typeof parseRunSpec(value).ok).toBe('boolean');
      }),
    );
  });

  it('with ten thousand unknown fields names a bounded number of them', () => {
    const many = Object.fromEntries(Array.from({ length: 10_000 }, (_, at) => [`field${at}`, 1]));
    expect(problemsOf({ ...good, ...many })).toHaveLength(SPEC_BOUNDS.problems);
  });
});

describe('a claim', () => {
  it('is an assertion or a local actor, in text that can be kept', () => {
    expect([{ assertion: 'a.b.c' }, { local: 'a' }, { local: 'a', roles: ['b'] }].map(isActorClaim)).toEqual([
      true,
      true,
      true,
    ]);
    expect(
      [null, {}, { local: '' }, { local: 5 }, { local: 'a\0' }, { local: 'a', roles: 'b' }, { assertion: 5 }].map(
        isActorClaim,
      ),
    ).toEqual([false, false, false, false, false, false, false]);
  });
});
