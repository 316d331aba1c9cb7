/** Random choices from a seed, so that a run can be repeated. Deliberately not fast-check: nothing here is to be shrunk. */
export type Random = {
  /** 0 to below `limit`. */
  below(limit: number): number;
  of<T>(list: readonly T[]): T;
};

/** mulberry32 */
export function randomOf(seed: number): Random {
  let state = seed >>> 0;
  const below = (limit: number): number => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) % limit;
  };
  return {
    below,
    of: (list) => {
      const found = list[below(list.length)];
      if (found === undefined) throw new Error('nothing to choose from');
      return found;
    },
  };
}
