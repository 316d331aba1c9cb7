/** A bundle as a bad deployment makes it: `governedRun` fails every task it is given. `repair` is as it should be. */
export { repair } from '../../src/workflows/repair.js';

export function governedRun(): Promise<never> {
  throw new Error('this bundle is broken');
}
