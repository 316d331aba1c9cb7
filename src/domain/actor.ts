/**
 * Who acts. In STRICT an actor is only what a signed assertion says; in other profiles a caller without an assertion is
 * a local actor, and is labelled so wherever it shows.
 */

import type { PersonKey } from './person.js';

/** A compact JWS (see decide/access). */
export type Assertion = { readonly assertion: string };
export type LocalActor = { readonly local: string; readonly roles?: readonly string[] };
export type ActorClaim = Assertion | LocalActor;

/** An actor after verification. `issuer` is `local` when nobody vouched for it. */
export type Actor = {
  readonly name: string;
  readonly roles: readonly string[];
  readonly issuer: string;
  readonly tokenId?: string;
  /** Whom it counts as. */
  readonly person: PersonKey;
};
