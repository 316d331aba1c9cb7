/**
 * The schema that policies are validated against: ROK's actions and facts. Only the author of a set knows the shape of
 * skill arguments and labels, so the set has its own part of the schema; without that part they are empty.
 */
import { checkParseSchema, validate } from '@cedar-policy/cedar-wasm/nodejs';

/** Types that a set may define; each is an empty record unless it does. */
const AUTHORS_TYPES = ['Arguments', 'PerSkill', 'Labels'] as const;

const SHIPPED = `
entity Tenant;
entity Agent in [Tenant] { name: String };
entity Model;
entity Skill;
entity Run;

type Counters = {
  steps: Long,
  modelCalls: Long,
  skillCalls: PerSkill,
  succeeded: PerSkill,
  lastSuccess: PerSkill,
  denials: Long,
};
type Facts = {
  arguments: Arguments,
  access: String,
  attempt: Long,
  counters: Counters,
  approvals: Set<String>,
  spentMicros: Long,
  capMicros: Long,
  profile: String,
  outcome: String,
  actor: { name: String, roles: Set<String> },
  labels: Labels,
  nowMs: Long,
};

action "run.start", "run.outcome", "run.repair", "run.cancel" appliesTo { principal: [Agent], resource: [Run], context: Facts };
action "model.call" appliesTo { principal: [Agent], resource: [Model], context: Facts };
action "skill.call" appliesTo { principal: [Agent], resource: [Skill], context: Facts };
action "agent.delegate" appliesTo { principal: [Agent], resource: [Agent], context: Facts };
`;

/** The whole schema of a set, from the author's part of it. */
export function schemaOf(authors: string): string {
  const missing = AUTHORS_TYPES.filter((name) => !new RegExp(`\\btype\\s+${name}\\b`).test(authors));
  return [SHIPPED, ...missing.map((name) => `type ${name} = {};`), authors].join('\n');
}

export type SchemaProblem = { readonly policy: string; readonly text: string };

/**
 * What Cedar's validator finds. A policy that passes does not err on a request that has the facts the schema names.
 *
 * @param schema Cedar's schema text
 * @param policies texts by id
 */
export function validatePolicies(schema: string, policies: Readonly<Record<string, string>>): readonly SchemaProblem[] {
  const parsed = checkParseSchema(schema);
  if (parsed.type === 'failure')
    return parsed.errors.map((error) => ({ policy: 'schema', text: sentenceOf(error.message, error.help) }));
  const answer = validate({ schema, policies: { staticPolicies: policies } });
  if (answer.type === 'failure')
    return answer.errors.map((error) => ({ policy: 'set', text: sentenceOf(error.message, error.help) }));
  // Told for each kind of request that the policy may be about: once for each place is enough.
  const said = new Map<string, SchemaProblem>();
  for (const { policyId: policy, error } of answer.validationErrors) {
    const place = `${policy} ${error.sourceLocations?.[0]?.start ?? error.message}`;
    if (!said.has(place)) said.set(place, { policy, text: sentenceOf(error.message, error.help) });
  }
  return [...said.values()];
}

const sentenceOf = (message: string, help: string | null | undefined): string =>
  help === null || help === undefined ? message : `${message} (${help})`;
