/**
 * The check that asks Cedar. A policy set is all policy files of a deployment with their schema and tests, named by
 * digest; an agent uses the files that it names. Policies are grouped by action when loaded. Cedar skips a policy that
 * errs, so here an error denies. A policy in shadow mode only reports.
 */
import type { PolicyJson } from '@cedar-policy/cedar-wasm/nodejs';
import type { Notice, Reason } from '../../domain/decision.js';
import { RokError } from '../../domain/errors.js';
import { ruleId, type Digest } from '../../domain/ids.js';
import type { Intent } from '../../domain/intent.js';
import { bodyOf, digestOf, NO_EXTRAS, type PolicySource } from '../../domain/policy-source.js';
import { escalateTo, parsePolicyFile, pauseTerms, type Policy } from './policy-file.js';
import { cedarRequest, isOfTheRow } from './request.js';
import { warmedCedar, type WarmedCedar } from './cedar-cache.js';
import { prepareCedar, type CedarRequest, type CedarSet } from './prepared-set.js';
import { usesOf, type Uses } from './facts-read.js';
import { deny, type CheckResult, type Objection, type PauseTerms } from '../checks/check.js';
import type { Snapshot } from '../snapshot.js';

export type Policies = {
  readonly digest: Digest;
  /** Canonical text of the whole set, as hashed and stored. */
  readonly body: string;
  readonly files: readonly string[];
  check(intent: Intent, snapshot: Snapshot): CheckResult;
  /**
   * Asks Cedar before all facts are there and keeps the answer for the check, only where the policies read no fact that may
   * still be missing.
   * @returns whether it was worth asking
   */
  warm(intent: Intent, snapshot: Snapshot): boolean;
  /** Gives back what was prepared of it, for a set that is no longer kept. */
  release(): void;
};

/**
 * @param files policy text by file name without ending, e.g. `{ default: 'permit (…);' }`
 * @throws RokError `policy_invalid`, naming the file, when a policy does not parse or has a wrong annotation
 */
export function loadPolicies(files: PolicySource['files'], extras: Omit<PolicySource, 'files'> = NO_EXTRAS): Policies {
  const source = { files, ...extras };
  const byFile = new Map(Object.entries(files).map(([name, text]) => [name, parsePolicyFile(name, text)]));
  const prepared = new Map<string, Prepared>();
  const setOf = (intent: Intent, snapshot: Snapshot): Prepared => {
    const used = snapshot.agent?.policies ?? [...byFile.keys()];
    const key = `${used.join('+')}/${intent.kind}`;
    const set = prepared.get(key) ?? prepare(policiesFor(byFile, used, intent.kind));
    prepared.set(key, set);
    return set;
  };
  return {
    digest: digestOf(source),
    body: bodyOf(source),
    files: [...byFile.keys()],
    check: (intent, snapshot) => evaluate(setOf(intent, snapshot), intent, snapshot),
    warm(intent, snapshot) {
      const set = setOf(intent, snapshot);
      if (set.ofTheRow) set.all.warm(cedarRequest(intent, snapshot, set.uses));
      return set.ofTheRow;
    },
    release() {
      for (const set of prepared.values()) set.release();
      prepared.clear();
    },
  };
}

function policiesFor(
  byFile: ReadonlyMap<string, readonly Policy[]>,
  used: readonly string[],
  action: string,
): readonly Policy[] {
  return [...new Set(used)].flatMap((name) => {
    const file = byFile.get(name);
    if (file === undefined) throw new RokError('policy_invalid', `no policy file \`${name}\` in the set`);
    return file.filter((policy) => policy.actions === 'all' || policy.actions.includes(action));
  });
}

type Prepared = {
  readonly policies: ReadonlyMap<string, Policy>;
  readonly all: WarmedCedar;
  /** Asked only where something forbids without denying: whether it would be permitted. */
  readonly permits: CedarSet;
  readonly uses: Uses;
  /** Whether they read nothing but what the run's row and the request say. */
  readonly ofTheRow: boolean;
  release(): void;
};

function prepare(policies: readonly Policy[]): Prepared {
  const setOf = (some: readonly Policy[]) =>
    prepareCedar(new Map(some.map((policy) => [policy.id, anyAction(policy)])));
  const all = setOf(policies);
  const permits = setOf(policies.filter((policy) => policy.role === 'permit'));
  const uses = usesOf(policies.map((policy) => policy.json));
  return {
    policies: new Map(policies.map((policy) => [policy.id, policy])),
    all: warmedCedar(all),
    permits,
    uses,
    ofTheRow: isOfTheRow(uses),
    release() {
      all.release();
      permits.release();
    },
  };
}

/** All of a group are about the one action that it is asked about, so none has to compare it. */
const anyAction = ({ json, actions }: Policy): PolicyJson =>
  actions === 'all' ? json : { ...json, action: { op: 'All' } };

function evaluate(set: Prepared, intent: Intent, snapshot: Snapshot): CheckResult {
  const request = cedarRequest(intent, snapshot, set.uses);
  const answer = set.all.ask(request);
  if (!answer.ok) return { objections: [deny('check_failed', 'cedar', answer.message.slice(0, 500), false)] };
  const objections: Objection[] = [];
  const notices: Notice[] = [];
  for (const { policy, message } of answer.errors) {
    const text = `policy \`${policy}\` failed: ${message}`.slice(0, 500);
    if (set.policies.get(policy)?.role === 'shadow') notices.push({ code: 'shadow', rule: ruleId(policy), text });
    else objections.push(deny('check_failed', policy, text, false));
  }
  const matched = answer.decision === 'deny' ? answer.determining.map((id) => policyOf(set, id)) : [];
  const forbids = matched.filter((policy) => policy.role === 'forbid');
  const permits = answer.decision === 'allow' ? answer.determining : forbids.length > 0 ? [] : permitting(set, request);
  const final = intent.kind !== 'skill.call';
  if (forbids.length === 0 && permits.length === 0)
    objections.push(deny('policy_not_permitted', 'cedar', 'no policy permits this', final));
  for (const policy of forbids) objections.push(deny('policy_forbids', policy.id, reasonOf(policy), final));
  for (const policy of matched) {
    if (policy.role === 'pause') objections.push(...pauseUnlessGiven(policy, snapshot));
    if (policy.role === 'shadow')
      notices.push({ code: 'shadow', rule: ruleId(policy.id), text: `would have blocked: ${reasonOf(policy)}` });
  }
  return { objections, notices, determining: [...forbids.map((policy) => policy.id), ...permits] };
}

/** Cedar names no permits beside a forbid that matched. Their errors were told the first time. */
function permitting(set: Prepared, request: CedarRequest): readonly string[] {
  const answer = set.permits.ask(request);
  return answer.ok && answer.decision === 'allow' ? answer.determining : [];
}

function policyOf(set: Prepared, id: string): Policy {
  const policy = set.policies.get(id);
  if (policy === undefined) throw new Error(`an unknown policy \`${id}\` answered`);
  return policy;
}

/**
 * A hold of this very action that ended well satisfies the rule; one that was rejected denies. Where nobody answered and the
 * rule says so, the next authority is asked, once: its silence ends the run.
 */
function pauseUnlessGiven(policy: Policy, snapshot: Snapshot): readonly Objection[] {
  const own = pauseTerms(policy);
  const next = escalateTo(policy);
  const past = snapshot.pastHolds.filter(
    (hold) => hold.reason === own.reason && (hold.authority === own.authority || hold.authority === next),
  );
  const escalated =
    next !== null && past.some((hold) => hold.authority === own.authority && hold.resolution === 'timed_out');
  const terms: PauseTerms = escalated ? { ...own, authority: next, onTimeout: 'terminate' } : own;
  const rejection = past.find((hold) => hold.resolution === 'rejected');
  if (rejection !== undefined)
    return [deny('approval_rejected', policy.id, `${rejection.authority} rejected this`, false)];
  const given = past.some(
    (hold) => hold.resolution === 'approved' || (hold.resolution === 'timed_out' && terms.onTimeout === 'continue'),
  );
  if (given) return [];
  const reason: Reason = { code: 'policy_requires_approval', rule: ruleId(policy.id), text: reasonOf(policy) };
  return [{ effect: 'pause', reason, terms }];
}

const reasonOf = (policy: Policy): string => policy.annotations['reason'] ?? `forbidden by \`${policy.id}\``;
