/**
 * The skills and model providers of this worker. Their descriptions are readable by everybody; calling one takes a
 * redeemed warrant, which is spent here. Each is registered by one line, an entry of the list passed to
 * `createRegistry`.
 */
import { z } from 'zod';
import { RokError } from '../domain/errors.js';
import type { Json } from '../domain/json.js';
import type { Sql } from '../domain/sql.js';
import type { ModelProvider, ModelReply, ModelRequest, ToolSchema } from './models/model-gateway.js';
import { openAiCompatibleProvider, type OpenAiCompatibleSettings } from './models/openai-compatible.js';
import { scriptedProvider } from './models/scripted.js';
import { toolNames } from './models/tool-names.js';
import { spend, type Redeemed } from './redeemed.js';
import { ordersLookup } from './skills/orders-lookup.js';
import { ordersRefund } from './skills/orders-refund.js';
import type { Skill, SkillContext } from './skills/skill.js';

/** What a skill is, without the means to run it. `target` is what an intent names: `name@version`. */
export type SkillFacts = Pick<
  Skill,
  'name' | 'version' | 'description' | 'access' | 'idempotency' | 'timeoutMs' | 'maxOutputBytes'
> & { readonly target: string; readonly repeatable: boolean };

export type Registry = {
  skill(name: string): SkillFacts | undefined;
  /** By `name@version`. */
  skillAt(target: string): SkillFacts | undefined;
  /** Every problem of a value as arguments of the skill; none: it fits. */
  problemsOf(name: string, value: unknown): readonly string[];
  /** @throws RokError skill_unknown, naming every skill that is not registered */
  schemas(names: readonly string[]): readonly ToolSchema[];
  serves(model: string): boolean;
  callModel(
    token: Redeemed,
    model: string,
    request: Omit<ModelRequest, 'model'>,
    signal: AbortSignal,
  ): Promise<ModelReply>;
  runSkill(token: Redeemed, target: string, input: unknown, context: SkillContext): Promise<Json>;
};

const SKILL_NAME = /^[a-z][a-z0-9]*([._-][a-z0-9]+)*$/;
const MAX_PROBLEMS = 8;

/** The skills that ship with ROK. */
export const builtInSkills = (database: Sql): readonly Skill[] => [ordersLookup(database), ordersRefund(database)];

/** The providers that ship with ROK: recorded transcripts, and every named server that speaks OpenAI's protocol. */
export const builtInProviders = (parts: {
  readonly scriptsFolder: string;
  readonly openAiCompatible: readonly OpenAiCompatibleSettings[];
}): readonly ModelProvider[] => [
  scriptedProvider(parts.scriptsFolder),
  ...parts.openAiCompatible.map(openAiCompatibleProvider),
];

/** @throws RokError config_invalid for a bad name, or two of the same */
export function createRegistry(parts: {
  readonly skills: readonly Skill[];
  readonly providers: readonly ModelProvider[];
}): Registry {
  const skills = byName('skill', parts.skills, (skill) => skill.name);
  const providers = byName('provider', parts.providers, (provider) => provider.id);
  const misnamed = parts.skills.find((skill) => !SKILL_NAME.test(skill.name));
  if (misnamed !== undefined) throw new RokError('config_invalid', `\`${misnamed.name}\` is not the name of a skill`);
  toolNames([...skills.keys()]);
  const at = (target: string): Skill | undefined => {
    const skill = skills.get(target.slice(0, Math.max(0, target.lastIndexOf('@'))));
    return skill !== undefined && targetOf(skill) === target ? skill : undefined;
  };
  return {
    skill: (name) => factsOf(skills.get(name)),
    skillAt: (target) => factsOf(at(target)),
    problemsOf: (name, value) => problemsOf(skills.get(name), value),
    schemas: (names) => schemas(names, skills),
    serves: (model) => providers.has(providerOf(model)),
    async callModel(token, model, request, signal) {
      spend(token);
      const provider = providers.get(providerOf(model));
      if (provider === undefined) throw new RokError('model_unknown', `no provider serves \`${model}\``);
      return provider.call({ ...request, model: model.slice(provider.id.length + 1) }, { signal });
    },
    async runSkill(token, target, input, context) {
      spend(token);
      const skill = at(target);
      if (skill === undefined) throw new RokError('skill_failed', `no skill \`${target}\` is registered`);
      return skill.run(skill.input.parse(input), context);
    },
  };
}

const targetOf = ({ name, version }: Skill): string => `${name}@${version}`;
const providerOf = (model: string): string => model.slice(0, Math.max(0, model.indexOf('/')));

function factsOf(skill: Skill | undefined): SkillFacts | undefined {
  if (skill === undefined) return undefined;
  const { name, version, description, access, idempotency, timeoutMs, maxOutputBytes } = skill;
  const repeatable = idempotency !== 'none';
  return {
    name,
    version,
    description,
    access,
    idempotency,
    timeoutMs,
    maxOutputBytes,
    target: targetOf(skill),
    repeatable,
  };
}

function problemsOf(skill: Skill | undefined, value: unknown): readonly string[] {
  if (skill === undefined) return ['there is no such skill'];
  const parsed = skill.input.safeParse(value);
  if (parsed.success) return [];
  return parsed.error.issues
    .slice(0, MAX_PROBLEMS)
    .map((issue) => `${issue.path.length === 0 ? 'arguments' : issue.path.map(String).join('.')}: ${issue.message}`);
}

function schemas(names: readonly string[], skills: ReadonlyMap<string, Skill>): readonly ToolSchema[] {
  const missing = names.filter((name) => !skills.has(name));
  if (missing.length > 0)
    throw new RokError('skill_unknown', `not registered: ${missing.map((name) => `\`${name}\``).join(', ')}`);
  return names.flatMap((name) => {
    const skill = skills.get(name);
    return skill === undefined ? [] : [{ name, description: skill.description, inputSchema: inputSchemaOf(skill) }];
  });
}

/** As a model provider takes it: JSON Schema draft 7 of what goes in, without the meta-schema's address. */
function inputSchemaOf(skill: Skill): Readonly<Record<string, unknown>> {
  const schema = Object.entries(z.toJSONSchema(skill.input, { target: 'draft-7', io: 'input' }));
  return Object.fromEntries(schema.filter(([key]) => key !== '$schema'));
}

function byName<T>(what: string, parts: readonly T[], nameOf: (part: T) => string): ReadonlyMap<string, T> {
  const named = new Map<string, T>();
  for (const part of parts) {
    const name = nameOf(part);
    if (named.has(name)) throw new RokError('config_invalid', `the ${what} \`${name}\` is registered twice`);
    named.set(name, part);
  }
  return named;
}
