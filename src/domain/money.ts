/**
 * Money: whole micro-USD as bigint inside, decimal strings at every boundary, and prices as exact rationals that are
 * rounded up once per attempt. No floating point: a price in JSON is read from its decimal text.
 */
import type { Branded } from './brand.js';

/** Whole millionths of a US dollar. */
export type Micros = Branded<bigint, 'Micros'>;
/** A non-negative rational number of USD per unit: numerator over denominator, denominator a power of ten. */
export type Rational = { readonly num: bigint; readonly den: bigint };

const MAX_MICROS = 2n ** 63n - 1n;
const USD = /^(0|[1-9][0-9]{0,12})(?:\.([0-9]{1,6}))?$/;
const NUMBER = /^([0-9]+)(?:\.([0-9]+))?(?:[eE]([+-]?[0-9]{1,3}))?$/;
const INTEGER = /^(0|[1-9][0-9]{0,18})$/;

export const micros = (value: bigint): Micros => {
  if (value < 0n || value > MAX_MICROS) throw new RangeError(`${value} micro-USD is out of range`);
  return value as Micros;
};

/** `"0.50"` → 500000n. @throws RangeError for a sign, an exponent, more than six decimals, or anything but digits */
export function microsFromUsd(text: string): Micros {
  const match = USD.exec(text);
  if (match === null) throw new RangeError(`\`${text.slice(0, 40)}\` is not a USD amount with at most six decimals`);
  return micros(BigInt(match[1] ?? '0') * 1_000_000n + BigInt((match[2] ?? '').padEnd(6, '0')));
}

/** `"500000"` → 500000n. @throws RangeError for anything but a non-negative whole number */
export function microsFromText(text: string): Micros {
  if (!INTEGER.test(text)) throw new RangeError(`\`${text.slice(0, 40)}\` is not a whole number of micro-USD`);
  return micros(BigInt(text));
}

/** 500000n → `"0.500000"`. */
export const usdText = (value: bigint): string =>
  `${(value / 1_000_000n).toString()}.${(value % 1_000_000n).toString().padStart(6, '0')}`;

/** The exact value of a non-negative decimal text such as `2e-06`. @throws RangeError for anything else */
export function rational(text: string): Rational {
  const match = NUMBER.exec(text);
  if (match === null) throw new RangeError(`\`${text.slice(0, 40)}\` is not a non-negative decimal number`);
  const fraction = match[2] ?? '';
  const exponent = Number(match[3] ?? '0') - fraction.length;
  const digits = BigInt(`${match[1] ?? '0'}${fraction}`);
  return exponent >= 0
    ? { num: digits * 10n ** BigInt(exponent), den: 1n }
    : { num: digits, den: 10n ** BigInt(-exponent) };
}

export const ZERO: Rational = { num: 0n, den: 1n };
export const add = (a: Rational, b: Rational): Rational =>
  a.den === b.den ? { num: a.num + b.num, den: a.den } : { num: a.num * b.den + b.num * a.den, den: a.den * b.den };
export const times = (a: Rational, units: number | bigint): Rational => ({ num: a.num * BigInt(units), den: a.den });
export const max = (a: Rational, b: Rational): Rational => (a.num * b.den >= b.num * a.den ? a : b);

/** USD as an exact rational → whole micro-USD, rounded up. @throws RangeError for more than a column can hold */
export const ceilMicros = (usd: Rational): Micros => micros(wholeMicros(usd));
/** The same without an upper end, for what somebody else counted and nobody has checked yet. */
export const wholeMicros = ({ num, den }: Rational): bigint => (num * 1_000_000n + den - 1n) / den;

/** Exact decimal text with `places` decimals (truncated), for numeric columns and comparisons. */
export function decimalText(value: Rational, places = 18): string {
  const scaled = (value.num * 10n ** BigInt(places)) / value.den;
  const unit = 10n ** BigInt(places);
  return `${(scaled / unit).toString()}.${(scaled % unit).toString().padStart(places, '0')}`;
}
