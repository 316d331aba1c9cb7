import { expect, it } from '@jest/globals';
import fc from 'fast-check';
import { untilWarning } from '../../src/workflows/run/hold-warning.js';

const MINUTES = 60_000;

it('a hold is warned of five minutes before its end, or at once where it is shorter', () => {
  expect([60, 6, 5, 4, 0, -1].map((minutes) => untilWarning(minutes * MINUTES))).toEqual([
    55 * MINUTES,
    1 * MINUTES,
    0,
    0,
    0,
    0,
  ]);
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 10 ** 9 }), (ms) => {
      expect(ms - untilWarning(ms)).toBe(Math.min(ms, 5 * MINUTES));
    }),
  );
});
