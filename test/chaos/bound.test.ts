import { describe, expect, it } from '@jest/globals';
import { boundOf, delaysOf, histogramOf } from '../../chaos/bound.js';
import { livesWithout } from '../../chaos/freezes.js';
import { randomFrom } from '../../chaos/random.js';
import { linesOf, resultOf, type Answer } from '../../chaos/scenario.js';

const SWEEP = 1_000;

describe('the moment by which a run must be judged', () => {
  const away = [
    { fromMs: 0, untilMs: 10_000 },
    { fromMs: 20_000, untilMs: 20_500 },
    { fromMs: 30_000, untilMs: null },
  ];
  it('is one sweep after it was due, while an audit worker lives', () => {
    expect(boundOf(5_000, away, SWEEP)).toBe(6_000);
    expect(boundOf(9_000, away, SWEEP)).toBe(10_000);
  });
  it('is one sweep after one is back, and a life shorter than a sweep is none', () => {
    expect(boundOf(9_001, away, SWEEP)).toBe(31_000);
    expect(boundOf(15_000, away, SWEEP)).toBe(31_000);
    expect(boundOf(40_000, away, SWEEP)).toBe(41_000);
  });
  it('never comes where no audit worker does', () => {
    expect(boundOf(9_001, away.slice(0, 2), SWEEP)).toBe(Number.POSITIVE_INFINITY);
  });
  it('counts no audit worker whose sweep may be stuck on a silent connection', () => {
    const lives = livesWithout(
      [
        { fromMs: 0, untilMs: 8_000 },
        { fromMs: 20_000, untilMs: null },
      ],
      [5_000, 30_000],
      4_000,
    );
    expect(lives).toEqual([
      { fromMs: 0, untilMs: 5_000 },
      { fromMs: 20_000, untilMs: 30_000 },
      { fromMs: 34_000, untilMs: null },
    ]);
    expect(boundOf(29_500, lives, SWEEP)).toBe(35_000);
  });
  it('is what delays are measured against', () => {
    const judged = [
      { run: 'at its end', dueMs: 5_000, judgedMs: 1_000 },
      { run: 'late', dueMs: 15_000, judgedMs: 31_200 },
    ];
    expect(delaysOf(judged, away, SWEEP)).toEqual([
      { run: 'at its end', afterDueMs: -4_000, afterBoundMs: -5_000 },
      { run: 'late', afterDueMs: 16_200, afterBoundMs: 200 },
    ]);
  });
  it('a histogram counts every delay once', () => {
    const counts = histogramOf([-10, -1, 0, 249, 250, 1_999, 2_000, 60_000]).map((line) =>
      Number(/\d+(?= #| *$)/.exec(line)?.[0]),
    );
    expect(counts).toEqual([2, 2, 1, 0, 1, 1, 0, 0, 1]);
  });
});

describe('what a scenario proves', () => {
  const harm = (inFlight: number) => ({ at: '2026-01-01T00:00:00Z', what: 'kill -9 of audit', inFlight });
  const goal = (held: boolean) => ({ name: 'all is well', held, seen: 'so' });
  const answer = (over: Partial<Answer>): Answer => ({
    injections: [harm(1), harm(3)],
    figures: {},
    goals: [goal(true)],
    notes: [],
    ...over,
  });
  it('passes where every goal held, and fails where one did not', () => {
    expect(resultOf(answer({}))).toBe('pass');
    expect(resultOf(answer({ goals: [goal(true), goal(false)] }))).toBe('fail');
  });
  it('is nothing where fewer than two injections met work in flight', () => {
    expect(resultOf(answer({ injections: [harm(1), harm(0), harm(0)] }))).toBe('INVALID');
  });
  it('is printed with the harm that was done', () => {
    expect(linesOf(answer({ goals: [goal(false)] }))).toEqual([
      `${'kill -9 of audit'.padEnd(34)} 2 times`,
      'BROKEN all is well: so',
    ]);
  });
});

it('the same seed gives the same numbers, another one others, and a fork does not disturb', () => {
  const numbers = (seed: number) => {
    const random = randomFrom(seed);
    return Array.from({ length: 5 }, () => random.next());
  };
  expect(numbers(7)).toEqual(numbers(7));
  expect(numbers(7)).not.toEqual(numbers(8));
  const random = randomFrom(1);
  const fork = random.fork();
  const first = fork.next();
  const again = randomFrom(1);
  const other = again.fork();
  again.next();
  expect(other.next()).toBe(first);
  for (const value of numbers(42)) expect(value >= 0 && value < 1).toBe(true);
});
