/** Random numbers from a seed (mulberry32), so that an hour of chaos can be told again. Not for secrets. */
export type Random = {
  /** At least 0, below 1. */
  next(): number;
  between(least: number, most: number): number;
  chance(share: number): boolean;
  /** Another sequence, that this one's further use does not disturb. */
  fork(): Random;
};

export function randomFrom(seed: number): Random {
  let state = seed >>> 0;
  const next = (): number => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
  return {
    next,
    between: (least, most) => least + next() * (most - least),
    chance: (share) => next() < share,
    fork: () => randomFrom(Math.floor(next() * 2 ** 32)),
  };
}
