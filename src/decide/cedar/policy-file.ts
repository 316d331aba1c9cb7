/**
 * Parses a policy file: policies named by `@id`, with the annotations that say what a matching forbid does. A misspelt
 * annotation must not silently change a rule, so this module checks annotation values, and `rok policy lint` checks
 * their names.
 */
import { policySetTextToParts, policyToJson, type PolicyJson } from '@cedar-policy/cedar-wasm/nodejs';
import { durationMs } from '../../domain/agent.js';
import { RokError } from '../../domain/errors.js';
import { INTENT_KINDS } from '../../domain/intent.js';
import type { PauseTerms } from '../checks/check.js';

export type Annotations = Readonly<Record<string, string | null>>;
/** Permits and plain forbids decide; the others are forbids with `@effect("pause")` or `@mode("shadow")`. */
export type Role = 'permit' | 'forbid' | 'pause' | 'shadow';
export type Policy = {
  /** File and `@id`, or file and place. */
  readonly id: string;
  readonly text: string;
  readonly json: PolicyJson;
  readonly annotations: Annotations;
  readonly role: Role;
  /** The intents that it can be about. */
  readonly actions: readonly string[] | 'all';
};

export const ANNOTATIONS = [
  'id',
  'effect',
  'authority',
  'sla',
  'on_timeout',
  'escalate_to',
  'quorum',
  'mode',
  'reason',
] as const;
const MAX_SLA_MS = 30 * 86_400_000;

/** @throws RokError `policy_invalid`, naming file or policy */
export function parsePolicyFile(name: string, text: string): readonly Policy[] {
  const parts = policySetTextToParts(text);
  if (parts.type === 'failure')
    throw wrong(`policy file \`${name}\` does not parse: ${parts.errors.map((one) => one.message).join('; ')}`);
  if (parts.policy_templates.length > 0)
    throw wrong(`policy file \`${name}\` holds a template, which is not supported`);
  const policies = parts.policies.map((policy, index) => parsePolicy(name, policy, index));
  const ids = policies.map((policy) => policy.id);
  const twice = ids.find((id, index) => ids.indexOf(id) !== index);
  if (twice !== undefined) throw wrong(`policy \`${twice}\` is there twice`);
  return policies;
}

const wrong = (message: string): RokError => new RokError('policy_invalid', message);

function parsePolicy(file: string, text: string, index: number): Policy {
  const parsed = policyToJson(text);
  if (parsed.type === 'failure')
    throw wrong(`policy file \`${file}\` does not parse: ${parsed.errors.map((one) => one.message).join('; ')}`);
  const annotations: Annotations = parsed.json.annotations ?? {};
  const id = `${file}/${annotations['id'] ?? `policy${index}`}`;
  const policy = {
    id,
    text,
    json: parsed.json,
    annotations,
    role: roleOf(parsed.json, annotations),
    actions: actionsOf(parsed.json.action),
  };
  checkAnnotations(policy);
  return policy;
}

function roleOf({ effect }: PolicyJson, annotations: Annotations): Role {
  if (effect === 'permit') return 'permit';
  if (annotations['mode'] === 'shadow') return 'shadow';
  return annotations['effect'] === 'pause' ? 'pause' : 'forbid';
}

/** The actions that a policy's scope names. */
export function actionNames(scope: PolicyJson['action']): readonly string[] | 'all' {
  if (scope.op === 'All') return 'all';
  const entities = 'entities' in scope ? scope.entities : 'entity' in scope ? [scope.entity] : [];
  return entities.map((entity) => ('__entity' in entity ? entity.__entity.id : entity.id));
}

function actionsOf(scope: PolicyJson['action']): Policy['actions'] {
  const names = actionNames(scope);
  // An action that is not an intent's may be a group: then the policy is asked about everything.
  return names !== 'all' && names.every((name) => (INTENT_KINDS as readonly string[]).includes(name)) ? names : 'all';
}

function checkAnnotations(policy: Policy): void {
  const { effect, mode } = policy.annotations;
  const refuse = (text: string): never => {
    throw wrong(`policy \`${policy.id}\`: ${text}`);
  };
  if (effect !== undefined && effect !== 'pause') refuse('`@effect` must be pause');
  if (mode !== undefined && mode !== 'shadow') refuse('`@mode` must be shadow');
  if (policy.role === 'permit' && (effect !== undefined || mode !== undefined))
    refuse('`@effect` and `@mode` are for a forbid');
  if (effect === 'pause') {
    const { authority } = pauseTerms(policy);
    if (policy.annotations['escalate_to'] !== undefined && policy.annotations['on_timeout'] !== 'escalate')
      refuse('`@escalate_to` needs `@on_timeout("escalate")`');
    if (escalateTo(policy) === authority) refuse(`nobody is above \`${authority}\`: name another in \`@escalate_to\``);
  }
}

/** Who is asked when the authority does not answer in time; null where nobody is. */
export const escalateTo = ({ annotations }: Pick<Policy, 'annotations'>): string | null =>
  annotations['on_timeout'] === 'escalate' ? (annotations['escalate_to'] ?? 'admin') : null;

/** What a matched pause asks for. @throws RokError `policy_invalid`; never for a policy that was loaded */
export function pauseTerms(policy: Pick<Policy, 'id' | 'annotations'>): PauseTerms {
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
    throw wrong(`policy \`${policy.id}\`: ${error instanceof Error ? error.message : 'wrong annotation'}`);
  }
}
