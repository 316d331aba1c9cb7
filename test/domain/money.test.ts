import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import {
  add,
  ceilMicros,
  decimalText,
  max,
  micros,
  microsFromText,
  microsFromUsd,
  rational,
  times,
  usdText,
  type Rational,
} from '../../src/domain/money.js';

const amount = fc.bigInt({ min: 0n, max: 2n ** 63n - 1n });
const price: fc.Arbitrary<Rational> = fc
  .tuple(fc.bigInt({ min: 0n, max: 10n ** 20n }), fc.integer({ min: 0, max: 24 }))
  .map(([num, places]) => ({ num, den: 10n ** BigInt(places) }));

describe('money', () => {
  it('is written and read without loss', () => {
    fc.assert(
      fc.property(amount, (value) => {
        expect(microsFromUsd(usdText(value))).toBe(value);
        expect(microsFromText(value.toString())).toBe(value);
      }),
    );
  });

  it.each(['-1', '+1', '', ' 1', '1 ', 'NaN', 'Infinity', '1e6', '0.0000001', '.5', '1.', '01', '1,000', '٣', '1\n'])(
    'refuses %j as USD',
    (text) => {
      expect(() => microsFromUsd(text)).toThrow(RangeError);
    },
  );

  it.each(['-1', '', '1.5', '0.5', 'NaN', '1e3', '0x10', '00', '9223372036854775808', '1\n'])(
    'refuses %j as whole micro-USD',
    (text) => {
      expect(() => microsFromText(text)).toThrow(RangeError);
    },
  );

  it('is exact where a float is not, and ends at what PostgreSQL can hold', () => {
    expect(microsFromText('9007199254740993')).toBe(2n ** 53n + 1n);
    expect(microsFromUsd('0.000001')).toBe(1n);
    expect(() => micros(2n ** 63n)).toThrow(RangeError);
    expect(() => micros(-1n)).toThrow(RangeError);
    expect(() => microsFromUsd('9999999999999')).toThrow(RangeError);
  });
});

describe('a price', () => {
  it('rounded up is never below the exact value, and less than one micro above it', () => {
    fc.assert(
      fc.property(price, fc.integer({ min: 0, max: 1000 }), (rate, units) => {
        const exact = times(rate, units);
        fc.pre(exact.num * 1_000_000n < exact.den * 2n ** 62n);
        const rounded = ceilMicros(exact);
        expect(rounded * exact.den >= exact.num * 1_000_000n).toBe(true);
        expect((rounded - 1n) * exact.den < exact.num * 1_000_000n).toBe(true);
      }),
    );
  });

  it('is read from its decimal text exactly, with and without exponent', () => {
    expect(rational('2.5e-07')).toEqual({ num: 25n, den: 10n ** 8n });
    expect(rational('0.00000025')).toEqual({ num: 25n, den: 10n ** 8n });
    expect(rational('3e2')).toEqual({ num: 300n, den: 1n });
    fc.assert(
      fc.property(fc.double({ min: 0, max: 1, noNaN: true }), (value) => {
        const { num, den } = rational(String(value));
        expect(Number(num) / Number(den)).toBeCloseTo(value, 12);
      }),
    );
    for (const bad of ['-1', 'NaN', 'Infinity', '', '1e', '1e9999', '0x1', '1_0', ' 1'])
      expect(() => rational(bad)).toThrow(RangeError);
  });

  it('adds and compares exactly', () => {
    fc.assert(
      fc.property(price, price, (a, b) => {
        const sum = add(a, b);
        expect(sum.num * a.den * b.den).toBe((a.num * b.den + b.num * a.den) * sum.den);
        const most = max(a, b);
        expect(most.num * a.den >= a.num * most.den && most.num * b.den >= b.num * most.den).toBe(true);
      }),
    );
    expect(decimalText(add(rational('2.5e-07'), rational('1e-18')))).toBe('0.000000250000000001');
  });
});
