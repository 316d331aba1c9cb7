/**
 * The adapter to Cedar: a prepared set of policies that answers requests as Cedar itself would, decision, determining
 * policies and errors alike. It knows nothing of runs, annotations or files.
 *
 * All forbids are first asked as one, whose condition is theirs joined by `||`: while it neither holds nor errs none of them
 * does, which is the common case and costs a fraction. Only otherwise each is asked by itself.
 */
import {
  preparsePolicySet,
  statefulIsAuthorized,
  type CedarValueJson,
  type EntityJson,
  type EntityUidJson,
  type Expr,
  type PolicyJson,
} from '@cedar-policy/cedar-wasm/nodejs';
import { RokError } from '../../domain/errors.js';
import { anyOf, conditionOf } from './condition.js';

export type CedarRequest = {
  readonly principal: EntityUidJson;
  readonly action: EntityUidJson;
  readonly resource: EntityUidJson;
  readonly context: Record<string, CedarValueJson>;
  readonly entities: EntityJson[];
};
export type CedarError = { readonly policy: string; readonly message: string };
export type CedarAnswer =
  | {
      readonly ok: true;
      readonly decision: 'allow' | 'deny';
      /** Ids in order: of the permits of an allow, of the forbids of a deny, none where nothing permitted. */
      readonly determining: readonly string[];
      readonly errors: readonly CedarError[];
    }
  /** The request itself is not one that Cedar takes. */
  | { readonly ok: false; readonly message: string };
export type CedarSet = {
  ask(request: CedarRequest): CedarAnswer;
  /** Gives back what was prepared; the set answers nothing more. */
  release(): void;
};

/** Below this many forbids asking each is no dearer than asking for all. */
const WORTH_JOINING = 3;
const JOINED = 'any forbid';

/** Names under which Cedar keeps what was prepared. It forgets none, so those given back are used again. */
const free: string[] = [];
let named = 0;

/** @throws RokError `policy_invalid` when Cedar does not take the policies */
export function prepareCedar(policies: ReadonlyMap<string, PolicyJson>): CedarSet {
  const forbids = [...policies.values()].filter((policy) => policy.effect === 'forbid');
  const whole = prepared(policies);
  const permits = [...policies].filter(([, policy]) => policy.effect !== 'forbid');
  const quick =
    forbids.length < WORTH_JOINING ? null : prepared(new Map([...permits, [JOINED, joined(forbids)] as const]));
  return {
    ask(request) {
      if (quick === null) return ask(whole, request);
      const answer = ask(quick, request);
      if (!answer.ok) return answer;
      const clear = !answer.determining.includes(JOINED) && !answer.errors.some((error) => error.policy === JOINED);
      return clear ? answer : ask(whole, request);
    },
    release() {
      free.push(...(quick === null ? [whole] : [whole, quick]));
    },
  };
}

function joined(forbids: readonly PolicyJson[]): PolicyJson {
  const body: Expr = anyOf(forbids.map(conditionOf));
  const all = { op: 'All' } as const;
  return { effect: 'forbid', principal: all, action: all, resource: all, conditions: [{ kind: 'when', body }] };
}

function prepared(policies: ReadonlyMap<string, PolicyJson>): string {
  const name = free.pop() ?? `rok-${(named += 1)}`;
  const answer = preparsePolicySet(name, { staticPolicies: Object.fromEntries(policies) });
  if (answer.type === 'success') return name;
  free.push(name);
  throw new RokError('policy_invalid', answer.errors.map((one) => one.message).join('; '));
}

function ask(name: string, request: CedarRequest): CedarAnswer {
  const answer = statefulIsAuthorized({ ...request, preparsedPolicySetId: name });
  if (answer.type === 'failure') return { ok: false, message: answer.errors.map((one) => one.message).join('; ') };
  const { decision, diagnostics } = answer.response;
  return {
    ok: true,
    decision,
    determining: [...diagnostics.reason].sort(),
    errors: diagnostics.errors
      .map(({ policyId, error }) => ({ policy: policyId, message: error.message }))
      .sort((a, b) => (a.policy < b.policy ? -1 : 1)),
  };
}
