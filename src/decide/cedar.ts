/**
 * Cedar as one of the checks. A set is all policy files of a deployment, named by digest; an agent uses the files it names.
 * Policies are grouped by action when loaded, and by what they do: permits and plain forbids decide, forbids with
 * `@effect("pause")` pause, forbids with `@mode("shadow")` only report. Cedar skips a policy that errs, so any error denies.
 */
import {
  policySetTextToParts,
  policyToJson,
  preparsePolicySet,
  statefulIsAuthorized,
} from '@cedar-policy/cedar-wasm/nodejs';
import { durationMs } from '../domain/agent.js';
import { canonicalJson } from '../domain/canonical-json.js';
import type { Notice, Reason } from '../domain/decision.js';
import { digest, DIGEST_TAGS } from '../domain/digest.js';
import { RokError } from '../domain/errors.js';
import { ruleId, type Digest } from '../domain/ids.js';
import type { Intent } from '../domain/intent.js';
import { INTENT_KINDS } from '../domain/intent.js';
import { cedarRequest } from './cedar-request.js';
import { deny, type CheckResult, type Objection, type PauseTerms } from './checks/check.js';
import type { Snapshot } from './snapshot.js';

type Annotations = Readonly<Record<string, string | null>>;
type Policy = {
  readonly id: string;
  readonly text: string;
  readonly annotations: Annotations;
  readonly forbids: boolean;
  readonly actions: readonly string[] | 'all';
};
type Role = 'decide' | 'pause' | 'shadow';

export type Policies = {
  readonly digest: Digest;
  /** Canonical text of the whole set, as hashed and stored. */
  readonly body: string;
  readonly files: readonly string[];
  check(intent: Intent, snapshot: Snapshot): CheckResult;
};

const MAX_SLA_MS = 30 * 86_400_000;
const ALLOW_ALL = 'permit (principal, action, resource);';

/**
 * @param files policy text by file name without ending, e.g. `{ default: 'permit (…);' }`
 * @throws RokError `policy_invalid`, naming the file, when a policy does not parse or has a wrong annotation
 */
export function loadPolicies(files: Readonly<Record<string, string>>): Policies {
  const body = canonicalJson(files);
  const setDigest = digest(DIGEST_TAGS.policySet, body);
  const byFile = new Map(Object.entries(files).map(([name, text]) => [name, parseFile(name, text)]));
  const prepared = new Map<string, Prepared>();
  return {
    digest: setDigest,
    body,
    files: [...byFile.keys()],
    check: (intent, snapshot) => {
      const used = snapshot.agent?.policies ?? [...byFile.keys()];
      const key = `${setDigest}/${used.join('+')}/${intent.kind}`;
      let set = prepared.get(key);
      if (set === undefined) {
        set = prepare(key, policiesFor(byFile, used, intent.kind));
        prepared.set(key, set);
      }
      return evaluate(set, intent, snapshot);
    },
  };
}

function policiesFor(
  byFile: ReadonlyMap<string, readonly Policy[]>,
  used: readonly string[],
  action: string,
): readonly Policy[] {
  return used.flatMap((name) => {
    const file = byFile.get(name);
    if (file === undefined) throw new RokError('policy_invalid', `no policy file \`${name}\` in the set`);
    return file.filter((policy) => policy.actions === 'all' || policy.actions.includes(action));
  });
}

function parseFile(name: string, text: string): readonly Policy[] {
  const parts = policySetTextToParts(text);
  if (parts.type === 'failure')
    throw new RokError(
      'policy_invalid',
      `policy file \`${name}\` does not parse: ${parts.errors.map((one) => one.message).join('; ')}`,
    );
  if (parts.policy_templates.length > 0)
    throw new RokError('policy_invalid', `policy file \`${name}\` holds a template, which is not supported`);
  const policies = parts.policies.map((policy, index) => parsePolicy(name, policy, index));
  const ids = policies.map((policy) => policy.id);
  const twice = ids.find((id, index) => ids.indexOf(id) !== index);
  if (twice !== undefined) throw new RokError('policy_invalid', `policy \`${twice}\` is there twice`);
  return policies;
}

function parsePolicy(file: string, text: string, index: number): Policy {
  const parsed = policyToJson(text);
  if (parsed.type === 'failure')
    throw new RokError(
      'policy_invalid',
      `policy file \`${file}\` does not parse: ${parsed.errors.map((one) => one.message).join('; ')}`,
    );
  const annotations: Annotations = parsed.json.annotations ?? {};
  const policy: Policy = {
    id: `${file}/${annotations['id'] ?? `policy${index}`}`,
    text,
    annotations,
    forbids: parsed.json.effect === 'forbid',
    actions: actionsOf(parsed.json.action),
  };
  checkAnnotations(policy);
  return policy;
}

function actionsOf(scope: unknown): readonly string[] | 'all' {
  const constraint = scope as {
    op: string;
    entity?: { id?: string; __entity?: { id: string } };
    entities?: readonly { id?: string; __entity?: { id: string } }[];
  };
  if (constraint.op === 'All') return 'all';
  const entities = constraint.entities ?? (constraint.entity === undefined ? [] : [constraint.entity]);
  const names = entities.map((entity) => entity.id ?? entity.__entity?.id ?? '');
  // An action that is not an intent's may be a group: then the policy is asked about everything.
  return names.every((name) => (INTENT_KINDS as readonly string[]).includes(name)) ? names : 'all';
}

function roleOf(policy: Policy): Role {
  if (!policy.forbids) return 'decide';
  if (policy.annotations['mode'] === 'shadow') return 'shadow';
  return policy.annotations['effect'] === 'pause' ? 'pause' : 'decide';
}

/** A misspelt annotation must not quietly make another rule of it. */
function checkAnnotations(policy: Policy): void {
  const { effect, mode } = policy.annotations;
  const wrong = (text: string): never => {
    throw new RokError('policy_invalid', `policy \`${policy.id}\`: ${text}`);
  };
  if (effect !== undefined && effect !== 'pause') wrong('`@effect` must be pause');
  if (mode !== undefined && mode !== 'shadow') wrong('`@mode` must be shadow');
  if (!policy.forbids && (effect !== undefined || mode !== undefined)) wrong('`@effect` and `@mode` are for a forbid');
  if (effect === 'pause') pauseTerms(policy);
}

function pauseTerms(policy: Policy): PauseTerms {
  const { sla, quorum, on_timeout: onTimeout, authority } = policy.annotations;
  const voices = Number(quorum ?? '1');
  const timeout = onTimeout ?? 'terminate';
  try {
    if (!Number.isInteger(voices) || voices < 1 || voices > 16) throw new RangeError(`\`@quorum\` must be 1 to 16`);
    if (timeout !== 'terminate' && timeout !== 'continue' && timeout !== 'escalate')
      throw new RangeError('`@on_timeout` must be terminate, continue or escalate');
    const slaMs = durationMs(sla ?? '1h');
    if (slaMs > MAX_SLA_MS) throw new RangeError('`@sla` must be at most 30d');
    return {
      reason: 'APPROVAL_REQUIRED',
      authority: authority ?? 'operator',
      quorum: voices,
      slaMs,
      onTimeout: timeout,
    };
  } catch (error) {
    throw new RokError(
      'policy_invalid',
      `policy \`${policy.id}\`: ${error instanceof Error ? error.message : 'wrong annotation'}`,
    );
  }
}

type Prepared = {
  readonly policies: ReadonlyMap<string, Policy>;
  readonly sets: Readonly<Record<Role, string | null>>;
};

function prepare(key: string, policies: readonly Policy[]): Prepared {
  const setOf = (role: Role): string | null => {
    const mine = policies.filter((policy) => roleOf(policy) === role);
    if (role !== 'decide' && mine.length === 0) return null;
    const base = role === 'decide' ? {} : { 'allow-all': ALLOW_ALL };
    const id = `${key}/${role}`;
    const answer = preparsePolicySet(id, {
      staticPolicies: { ...base, ...Object.fromEntries(mine.map((policy) => [policy.id, policy.text])) },
    });
    if (answer.type === 'failure')
      throw new RokError('policy_invalid', answer.errors.map((one) => one.message).join('; '));
    return id;
  };
  return {
    policies: new Map(policies.map((policy) => [policy.id, policy])),
    sets: { decide: setOf('decide'), pause: setOf('pause'), shadow: setOf('shadow') },
  };
}

function evaluate(set: Prepared, intent: Intent, snapshot: Snapshot): CheckResult {
  const request = cedarRequest(intent, snapshot);
  const objections: Objection[] = [];
  const notices: Notice[] = [];
  const determining: string[] = [];
  const ask = (role: Role): readonly string[] => {
    const id = set.sets[role];
    if (id === null) return [];
    const answer = statefulIsAuthorized({ ...request, preparsedPolicySetId: id });
    if (answer.type === 'failure') {
      objections.push(
        deny(
          'check_failed',
          'cedar',
          answer.errors
            .map((one) => one.message)
            .join('; ')
            .slice(0, 500),
          false,
        ),
      );
      return [];
    }
    const { decision, diagnostics } = answer.response;
    for (const { policyId, error } of diagnostics.errors) {
      const text = `policy \`${policyId}\` failed: ${error.message}`.slice(0, 500);
      if (role === 'shadow') notices.push({ code: 'shadow', rule: ruleId(policyId), text });
      else objections.push(deny('check_failed', policyId, text, false));
    }
    if (role === 'decide') determining.push(...diagnostics.reason);
    if (role === 'decide' && decision === 'deny' && diagnostics.reason.length === 0)
      objections.push(deny('policy_not_permitted', 'cedar', 'no policy permits this', intent.kind !== 'skill.call'));
    return decision === 'deny' ? diagnostics.reason : [];
  };
  for (const id of ask('decide'))
    objections.push(deny('policy_forbids', id, reasonOf(set, id), intent.kind !== 'skill.call'));
  for (const id of ask('pause')) objections.push(...pauseUnlessGiven(set, id, snapshot));
  for (const id of ask('shadow'))
    notices.push({ code: 'shadow', rule: ruleId(id), text: `would have blocked: ${reasonOf(set, id)}` });
  return { objections, notices, determining };
}

/** A hold of this very action that ended well satisfies the rule; one that was rejected denies. */
function pauseUnlessGiven(set: Prepared, id: string, snapshot: Snapshot): readonly Objection[] {
  const policy = set.policies.get(id);
  if (policy === undefined) return [deny('check_failed', id, 'an unknown policy answered', true)];
  const terms = pauseTerms(policy);
  const past = snapshot.pastHolds.filter((hold) => hold.reason === terms.reason && hold.authority === terms.authority);
  if (past.some((hold) => hold.resolution === 'rejected'))
    return [deny('approval_rejected', id, `${terms.authority} rejected this`, false)];
  if (
    past.some(
      (hold) => hold.resolution === 'approved' || (hold.resolution === 'timed_out' && terms.onTimeout === 'continue'),
    )
  )
    return [];
  const reason: Reason = { code: 'policy_requires_approval', rule: ruleId(id), text: reasonOf(set, id) };
  return [{ effect: 'pause', reason, terms }];
}

const reasonOf = (set: Prepared, id: string): string =>
  set.policies.get(id)?.annotations['reason'] ?? `forbidden by \`${id}\``;
