/**
 * Authorization: who the actor is and whether the act is permitted. An assertion is a short JWS bound to one workflow,
 * one update and one action; the caller passes the key set in. Grants say what a role may do. Each refusal names actor,
 * action and rule, and the caller records it.
 */
import { errors as joseErrors, jwtVerify, type JWTVerifyGetKey } from 'jose';
import type { Actor, ActorClaim } from '../../domain/actor.js';
import type { Reason } from '../../domain/decision.js';
import { ruleId } from '../../domain/ids.js';
import { isSubject, localPerson, signedPerson, type IssuerGroups } from '../../domain/person.js';
import { isActorClaim } from '../../domain/run-spec.js';
import type { AdminVerb } from '../../domain/protocol/administer.js';
import type { ActorVerb } from '../../domain/protocol/decide.js';
import { isStorable, storable } from '../../domain/text.js';
import { grants, type ActorAct, type RequesterStanding } from './grants.js';

/** What an assertion must be for. */
export type ClaimPurpose = {
  readonly workflowId: string;
  readonly verb: ActorVerb | AdminVerb | 'start';
  readonly updateId?: string;
  readonly actionDigest?: string;
  /** Database time. */
  readonly nowMs: number;
  readonly requireAssertion: boolean;
};
export type VerifiedClaim =
  { readonly ok: true; readonly actor: Actor } | { readonly ok: false; readonly name: string; readonly reason: Reason };
export type ClaimVerifier = (claim: ActorClaim, purpose: ClaimPurpose) => Promise<VerifiedClaim>;

const ALGORITHMS = ['EdDSA', 'ES256'];
const LEEWAY_S = 30;
const LIFETIME_S = 300;
const REASON_CHARS = 2_000;
/** A signed name is kept as it is, so what cannot be kept is refused; text that is hashed or matched is never mended. */
const CLAIM_BOUNDS = { chars: 256, roles: 64 } as const;
const isKept = (value: unknown): boolean =>
  value === undefined || (typeof value === 'string' && value.length <= CLAIM_BOUNDS.chars && isStorable(value));

/**
 * @param keys null when the deployment has no key set: then no assertion verifies
 * @param issuers whose assertions count, in groups; null: of any whose key is in the set, all of them one group
 */
export function createClaimVerifier(keys: JWTVerifyGetKey | null, issuers: IssuerGroups | null = null): ClaimVerifier {
  return async (claim, purpose) => {
    const refuse = (name: string, rule: string, why: string): VerifiedClaim => ({
      ok: false,
      name,
      reason: refused(name, purpose.verb, rule, why),
    });
    // An update's claim comes from outside as it is; only a spec's was parsed.
    if (!isActorClaim(claim))
      return refuse('unknown', 'access.assertion', 'an actor is { assertion } or { local, roles? }');
    if ('local' in claim) {
      if (purpose.requireAssertion)
        return refuse(`local:${claim.local}`, 'access.assertion', 'this profile requires a signed assertion');
      const person = localPerson(claim.local);
      if (person === null) return refuse(`local:${claim.local}`, 'access.subject', 'its name is blank, or too long');
      return { ok: true, actor: { name: `local:${claim.local}`, roles: claim.roles ?? [], issuer: 'local', person } };
    }
    if (keys === null)
      return refuse('unknown', 'access.assertion', 'no key set is configured, so no assertion can be verified');
    try {
      const { payload } = await jwtVerify(claim.assertion, keys, {
        algorithms: ALGORITHMS,
        audience: purpose.workflowId,
        clockTolerance: LEEWAY_S,
        maxTokenAge: LIFETIME_S,
        requiredClaims: ['sub', 'iss', 'jti', 'exp', 'iat', 'verb'],
        currentDate: new Date(purpose.nowMs),
      });
      const { sub: name = '', iss = '' } = payload;
      if (!isSubject(name) || !isStorable(iss))
        return refuse('unknown', 'access.subject', 'its subject is empty, too long, or no text');
      const roles = (Array.isArray(payload['roles']) ? payload['roles'] : []).filter(
        (role): role is string => typeof role === 'string',
      );
      if (![payload.jti, ...roles].every(isKept) || roles.length > CLAIM_BOUNDS.roles)
        return refuse('unknown', 'access.claims', 'an id or a role of the assertion is no text that is kept');
      const person = signedPerson(iss, name, issuers);
      if (person === null) return refuse(name, 'access.issuer', 'the assertion is of another issuer');
      if ((payload.exp ?? 0) - (payload.iat ?? 0) > LIFETIME_S)
        return refuse(name, 'access.lifetime', 'the assertion lives longer than 5 minutes');
      if (payload['verb'] !== purpose.verb)
        return refuse(name, 'access.verb', `the assertion is not for \`${purpose.verb}\``);
      if (purpose.updateId !== undefined && payload['update'] !== purpose.updateId)
        return refuse(name, 'access.update', 'the assertion is for another update');
      if (purpose.actionDigest !== undefined && payload['action'] !== purpose.actionDigest)
        return refuse(name, 'access.action', 'the assertion is for another action');
      return {
        ok: true,
        actor: {
          name,
          roles,
          issuer: iss,
          person,
          ...(payload.jti === undefined ? {} : { tokenId: payload.jti }),
        },
      };
    } catch (error) {
      const text =
        error instanceof joseErrors.JOSEError
          ? `the assertion does not verify: ${error.code}`
          : 'the assertion does not verify';
      return refuse('unknown', 'access.assertion', text);
    }
  };
}

export type Asked = {
  readonly verb: ActorVerb | AdminVerb;
  /** How the actor stands to who started the run; null where no run is meant. */
  readonly requester: RequesterStanding | null;
  /** The pending hold's, where one is meant. */
  readonly authority?: string;
};

const ACTS = {
  pause: 'run.pause',
  resume: 'run.resume',
  cancel: 'run.cancel',
  kill: 'run.kill',
  finalize: 'run.finalize',
  approve: 'approval.grant',
  reject: 'approval.grant',
  raise_budget: 'budget.raise',
  'halt.set': 'halt.set',
  'halt.lift': 'halt.set',
  'policy.publish': 'policy.publish',
} as const satisfies Record<Asked['verb'], ActorAct>;

/** What the requester never does for its own run, whatever its roles. */
const FOUR_EYES: readonly ActorAct[] = ['approval.grant', 'budget.raise'];

const FOUR_EYES_SAY = {
  requester: 'who asked for the run does not answer for it',
  perhaps: 'who may have asked for the run does not answer for it',
} as const satisfies Record<Exclude<RequesterStanding, 'another'>, string>;

/** Null when the actor may; else why not. */
export function refusal(actor: Actor, { verb, requester, authority }: Asked): Reason | null {
  const act = ACTS[verb];
  if (requester !== null && requester !== 'another' && FOUR_EYES.includes(act))
    return refused(actor.name, verb, 'access.four_eyes', FOUR_EYES_SAY[requester]);
  const lacks = grants.lacks(actor, { act, requester, ...(authority === undefined ? {} : { authority }) });
  return lacks === null ? null : refused(actor.name, verb, `grants/${act}`, lacks);
}

/** The sentence of every refusal: who, what, why, and by which rule. */
export const refused = (name: string, verb: string, rule: string, why: string): Reason => ({
  code: 'actor_refused',
  rule: ruleId(rule),
  text: storable(`\`${name}\` may not ${verb}: ${why} (${rule})`, REASON_CHARS),
});
