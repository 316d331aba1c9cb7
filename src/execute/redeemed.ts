/**
 * Proof, inside this process, that a warrant was redeemed: warrant.ts makes it, the registry spends it at the one call
 * it is good for. Not a secret and not evidence: it stops a call that bypasses the warrant if no import rule caught it.
 */
import type { Branded } from '../domain/brand.js';

export type Redeemed = Branded<object, 'Redeemed'>;

const unspent = new WeakSet();

export function redeemed(): Redeemed {
  const token = Object.freeze({}) as Redeemed;
  unspent.add(token);
  return token;
}

/** @throws Error when the token was not made here or was spent before */
export function spend(token: Redeemed): void {
  if (!unspent.delete(token)) throw new Error('a call needs a warrant that was redeemed for it');
}
