/** Cedar's own tests through ROK's adapter: decision, reasons and errors are Cedar's. Where the data is absent, the fixture. */
import { describe, expect, it } from '@jest/globals';
import { policySetTextToParts, policyToJson } from '@cedar-policy/cedar-wasm/nodejs';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { prepareCedar, type CedarRequest } from '../../src/decide/cedar/prepared-set.js';
import { validatePolicies } from '../../src/decide/policies/schema.js';
import { fixtureData, sharedData } from '../corpus/recording.js';

type Asked = Omit<CedarRequest, 'entities'> & {
  readonly description: string;
  readonly decision: 'allow' | 'deny';
  readonly reason: readonly string[];
  readonly errors: readonly string[];
};
type Case = {
  readonly policies: string;
  readonly entities: string;
  readonly schema: string;
  readonly shouldValidate: boolean;
  readonly requests: readonly Asked[];
};

const folders = [fixtureData, sharedData].map((data) => join(data, 'cedar'));
const present = folders.filter((folder) => existsSync(join(folder, 'tests')));
if (present.length < folders.length)
  process.stdout.write('no Cedar tests beside the project: the real ones are skipped\n');

const casesOf = (folder: string): readonly (readonly [string, string])[] =>
  readdirSync(join(folder, 'tests'), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.json'))
    .sort()
    .map((name) => [name, folder] as const);

/** Ids as the tests name them: by place. */
function policiesOf(text: string): Readonly<Record<string, string>> {
  const parts = policySetTextToParts(text);
  if (parts.type === 'failure' || parts.policy_templates.length > 0) throw new Error('not a set of static policies');
  return Object.fromEntries(parts.policies.map((policy, at) => [`policy${at}`, policy]));
}

/** A reference is written `{ type, id }` there, which Cedar takes for a record unless a schema says otherwise. */
function withReferences(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value;
  if (Array.isArray(value)) return value.map(withReferences);
  const { type, id, ...rest } = value as Readonly<Record<string, unknown>>;
  if (typeof type === 'string' && typeof id === 'string' && Object.keys(rest).length === 0)
    return { __entity: { type, id } };
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, withReferences(item)]));
}

function jsonOf(text: string) {
  const parsed = policyToJson(text);
  if (parsed.type === 'failure') throw new Error(parsed.errors[0]?.message);
  return parsed.json;
}

describe.each(present.flatMap(casesOf))('%s', (name, folder) => {
  const read = (path: string): string => readFileSync(join(folder, path), 'utf8');
  const one = JSON.parse(read(join('tests', name))) as Case;
  const entities = (JSON.parse(read(one.entities)) as CedarRequest['entities']).map((entity) => ({
    ...entity,
    attrs: withReferences(entity.attrs) as typeof entity.attrs,
  }));
  const texts = policiesOf(read(one.policies));
  const set = prepareCedar(new Map(Object.entries(texts).map(([id, text]) => [id, jsonOf(text)])));

  it.each(one.requests.map((request) => [request.description, request] as const))('%s', (_description, request) => {
    const { principal, action, resource, context, decision, reason, errors } = request;
    const answer = set.ask({ principal, action, resource, context, entities });
    expect(answer).toMatchObject({ ok: true, decision, determining: [...reason].sort() });
    expect(answer.ok ? answer.errors.map(({ policy }) => policy) : null).toEqual(errors);
  });

  it('validates against its schema, or is said not to', () => {
    expect(validatePolicies(read(one.schema), texts).length === 0).toBe(one.shouldValidate);
  });
});
