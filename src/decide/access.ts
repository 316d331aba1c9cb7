/**
 * Who asks, and whether they may. An assertion is a short JWS bound to one workflow, one update and one action; its key set
 * is handed in. Roles are checked here; every refusal names actor, action and rule, and is recorded by the caller.
 */
import { errors as joseErrors, jwtVerify, type JWTVerifyGetKey } from 'jose';
import type { Actor, ActorClaim } from '../domain/actor.js';
import type { Reason } from '../domain/decision.js';
import { ruleId } from '../domain/ids.js';
import { isActorClaim } from '../domain/run-spec.js';
import type { ActorVerb } from '../domain/protocol/decide.js';

/** What an assertion must be for. */
export type ClaimPurpose = {
  readonly workflowId: string;
  readonly verb: ActorVerb | 'start';
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

const refuse = (name: string, rule: string, text: string): VerifiedClaim => ({
  ok: false,
  name,
  reason: { code: 'actor_refused', rule: ruleId(rule), text },
});

/** @param keys null when the deployment has no key set: then no assertion verifies */
export function createClaimVerifier(keys: JWTVerifyGetKey | null): ClaimVerifier {
  return async (claim, purpose) => {
    // An update's claim comes from outside as it is; only a spec's was parsed.
    if (!isActorClaim(claim))
      return refuse('unknown', 'access.assertion', 'an actor is { assertion } or { local, roles? }');
    if ('local' in claim) {
      if (purpose.requireAssertion)
        return refuse(`local:${claim.local}`, 'access.assertion', 'this profile requires a signed assertion');
      return { ok: true, actor: { name: `local:${claim.local}`, roles: claim.roles ?? [], issuer: 'local' } };
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
      const name = payload.sub ?? 'unknown';
      if ((payload.exp ?? 0) - (payload.iat ?? 0) > LIFETIME_S)
        return refuse(name, 'access.lifetime', 'the assertion lives longer than 5 minutes');
      if (payload['verb'] !== purpose.verb)
        return refuse(name, 'access.verb', `the assertion is not for \`${purpose.verb}\``);
      if (purpose.updateId !== undefined && payload['update'] !== purpose.updateId)
        return refuse(name, 'access.update', 'the assertion is for another update');
      if (purpose.actionDigest !== undefined && payload['action'] !== purpose.actionDigest)
        return refuse(name, 'access.action', 'the assertion is for another action');
      const roles = Array.isArray(payload['roles'])
        ? payload['roles'].filter((role): role is string => typeof role === 'string')
        : [];
      return {
        ok: true,
        actor: {
          name,
          roles,
          issuer: payload.iss ?? '',
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
  readonly verb: ActorVerb;
  /** Who started the run. */
  readonly requester: string;
  /** The pending hold's, where one is meant. */
  readonly authority?: string;
};

/** Null when the actor may; else why not. */
export function refusal(actor: Actor, asked: Asked): Reason | null {
  const has = (...roles: readonly string[]): boolean => roles.some((role) => actor.roles.includes(role));
  const no = (rule: string, text: string): Reason => ({
    code: 'actor_refused',
    rule: ruleId(rule),
    text: `\`${actor.name}\` may not ${asked.verb}: ${text}`,
  });
  switch (asked.verb) {
    case 'approve':
    case 'reject':
      if (actor.name === asked.requester) return no('access.four_eyes', 'who asked for the run does not answer for it');
      // What is for operators to answer, an operator answers.
      return has('admin', `approver:${asked.authority ?? ''}`) || (asked.authority === 'operator' && has('operator'))
        ? null
        : no('access.authority', `needs role approver:${asked.authority ?? ''}`);
    case 'pause':
    case 'resume':
    case 'cancel':
      return actor.name === asked.requester || has('admin', 'operator')
        ? null
        : no('access.operator', 'needs role operator, or to be the requester');
    case 'kill':
      return has('admin', 'operator') ? null : no('access.operator', 'needs role operator');
  }
}
