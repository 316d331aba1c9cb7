/** The points themselves; what a crash at each of them leaves is shown with real processes in test/faults/crash.proof.test.ts. */
import { describe, expect, it } from '@jest/globals';
import { crasher, crashingSigner, withCrashPoints } from '../../src/workers/crash-points.js';

/** Notes the moment instead of ending the process. */
const noting = (at: string) => {
  const seen: string[] = [];
  return { seen, crashAt: crasher(at, () => seen.push('crash')) };
};

describe('ROK_CRASH_AT', () => {
  it('names a point, at its first time', () => {
    const { seen, crashAt } = noting('decide.latch.after');
    crashAt?.('decide.latch.before');
    expect(seen).toEqual([]);
    crashAt?.('decide.latch.after');
    crashAt?.('decide.latch.after');
    expect(seen).toEqual(['crash']);
  });
  it('or at its third', () => {
    const { seen, crashAt } = noting('observe.append.after:3');
    crashAt?.('observe.append.after');
    crashAt?.('observe.append.after');
    expect(seen).toEqual([]);
    crashAt?.('observe.append.after');
    expect(seen).toEqual(['crash']);
  });
  it('of one workflow only, which what is done for no workflow is not', () => {
    const { seen, crashAt } = noting('sign.before@rok/acme/1');
    crashAt?.('sign.before');
    expect(seen).toEqual([]);
  });
  it('unset, nothing is wrapped', () => {
    const hands = { 'decide.latch': () => Promise.resolve(1) };
    expect(withCrashPoints(hands, crasher(undefined))).toBe(hands);
  });
});

it('every hand has a point before it and one after it, and none after it where it failed', async () => {
  const seen: string[] = [];
  const hands = withCrashPoints(
    {
      good: (input: number) => {
        seen.push('good');
        return Promise.resolve(input + 1);
      },
      bad: () => Promise.reject(new Error('no')),
    },
    (point) => seen.push(point),
  );
  expect(await hands.good(1)).toBe(2);
  await expect(hands.bad()).rejects.toThrow('no');
  expect(seen).toEqual(['good.before', 'good', 'good.after', 'bad.before']);
});

it('a signature has one before it', async () => {
  const seen: string[] = [];
  const signer = crashingSigner(
    { kid: 'k', publicJwk: {}, sign: (text) => Promise.resolve(`signed ${text}`) },
    (point) => seen.push(point),
  );
  expect(await signer.sign('it')).toBe('signed it');
  expect(seen).toEqual(['sign.before']);
});
