/** Who acts, for programs: a claim, or a way to get one for just this act. Verified by the deciders, never here. */
import type { ActorClaim } from '../domain/actor.js';
import type { Digest } from '../domain/ids.js';
import type { AdminVerb } from '../domain/protocol/administer.js';
import type { ActorVerb } from '../domain/protocol/decide.js';

/** What an assertion must be made for. `updateId` names the one message it is good for. */
export type Purpose = {
  readonly workflowId: string;
  readonly verb: ActorVerb | AdminVerb | 'start';
  readonly updateId: string;
  readonly digest?: Digest;
};
/** Who acts: a claim as it is, or how to get an assertion for just this act. */
export type Acting = ActorClaim | ((purpose: Purpose) => Promise<ActorClaim>);
export type Act = { readonly actor: Acting; readonly reason?: string; readonly updateId?: string };

export const claimOf = (actor: Acting, purpose: Purpose): Promise<ActorClaim> =>
  typeof actor === 'function' ? actor(purpose) : Promise.resolve(actor);
