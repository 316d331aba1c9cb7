/**
 * Who may do what: roles and the acts they are granted, as Cedar policies that ship with ROK. Deliberately part of no policy
 * set: halts, and the act that publishes a better set, must be possible while a set is broken. Four eyes is not here but in
 * access.ts, because no grant lifts it.
 */
import type { Actor } from '../../domain/actor.js';
import { actionNames, parsePolicyFile } from '../cedar/policy-file.js';
import { prepareCedar, type CedarSet } from '../cedar/prepared-set.js';

/** What an actor can ask for. */
export const ACTOR_ACTS = [
  'run.pause',
  'run.resume',
  'run.cancel',
  'run.kill',
  'run.finalize',
  'approval.grant',
  'budget.raise',
  'policy.publish',
  'halt.set',
  'trace.read',
] as const;
export type ActorAct = (typeof ACTOR_ACTS)[number];

/** `@reason` completes the sentence "… needs …"; `<authority>` is the one that is asked for. */
const GRANTS = `
@id("requester") @reason("to be the requester")
permit (principal, action in [Action::"run.pause", Action::"run.resume", Action::"run.cancel"], resource)
when { context has requester && context.requester };

@id("operator") @reason("role operator")
permit (principal in Role::"operator", action in [Action::"run.pause", Action::"run.resume", Action::"run.cancel",
  Action::"run.kill", Action::"run.finalize", Action::"halt.set", Action::"trace.read"], resource);

@id("approver") @reason("role approver:<authority>")
permit (principal, action == Action::"approval.grant", resource)
when { context has authority && principal.roles.contains(context.approver) };

@id("operators-answer") @reason("role operator")
permit (principal in Role::"operator", action == Action::"approval.grant", resource)
when { context has authority && context.authority == "operator" };

@id("finance-raises") @reason("role approver:finance")
permit (principal in Role::"approver:finance", action == Action::"budget.raise", resource);

@id("policy-author") @reason("role policy_author")
permit (principal in Role::"policy_author", action == Action::"policy.publish", resource);

@id("auditor") @reason("role auditor")
permit (principal in Role::"auditor", action == Action::"trace.read", resource);

@id("admin") @reason("role admin")
permit (principal in Role::"admin", action, resource);
`;

export type Grants = {
  /** Null when a role of the actor's grants the act; else what it would need. */
  lacks(actor: Pick<Actor, 'name' | 'roles'>, asked: Asked): string | null;
};
/**
 * Whether the actor is who started the run. `perhaps`: one of them signed and the other one is the same name without a
 * signature, or nobody knows who asked; then it has no right of the requester's, and four eyes holds against it.
 */
export type RequesterStanding = 'requester' | 'perhaps' | 'another';
type Asked = {
  readonly act: ActorAct;
  /** Null where no run is meant. */
  readonly requester: RequesterStanding | null;
  /** Of the hold that is answered. */
  readonly authority?: string;
};

const policies = parsePolicyFile('grants', GRANTS);
let prepared: CedarSet | undefined;

export const grants: Grants = {
  lacks(actor, asked) {
    prepared ??= prepareCedar(new Map(policies.map(({ id, json }) => [id, json])));
    const answer = prepared.ask(requestOf(actor, asked));
    // A grant that errs grants nothing, and neither does a request that is none.
    return answer.ok && answer.decision === 'allow' && answer.errors.length === 0 ? null : needs(asked);
  },
};

function requestOf({ name, roles }: Pick<Actor, 'name' | 'roles'>, { act, requester, authority }: Asked) {
  const principal = { type: 'Actor', id: name };
  return {
    principal,
    action: { type: 'Action', id: act },
    resource: { type: 'Deployment', id: 'rok' },
    context: {
      ...(requester === null ? {} : { requester: requester === 'requester' }),
      ...(authority === undefined ? {} : { authority, approver: `approver:${authority}` }),
    },
    entities: [
      {
        uid: principal,
        attrs: { name, roles: [...roles] },
        parents: [...new Set(roles)].map((role) => ({ type: 'Role', id: role })),
      },
    ],
  };
}

function needs({ act, authority, requester }: Asked): string {
  const ways = policies
    .filter(
      ({ id }) =>
        (requester !== null || id !== 'grants/requester') &&
        (id !== 'grants/operators-answer' || authority === 'operator'),
    )
    .filter(({ json }) => {
      const names = actionNames(json.action);
      return names === 'all' || names.includes(act);
    })
    .map(({ annotations }) => (annotations['reason'] ?? '').replace('<authority>', authority ?? ''));
  return `needs ${[...new Set(ways)].join(' or ')}`;
}
