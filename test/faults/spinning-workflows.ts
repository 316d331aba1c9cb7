/** A bundle whose `governedRun` is inside one call into its script for some seconds of work; `repair` is as it should be. */
export { repair } from '../../src/workflows/repair.js';

/** @returns a number that keeps the loop from being left out */
export function governedRun(): Promise<number> {
  let seen = 0;
  for (let n = 0; n < 300_000_000; n += 1) seen = (seen + n) % 1_000_003;
  return Promise.resolve(seen);
}
