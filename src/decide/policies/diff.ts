/** What two sets say differently, policy by policy. Pure; a set that does not parse is an error, not a difference. */
import { canonicalJson } from '../../domain/canonical-json.js';
import type { Json } from '../../domain/json.js';
import type { PolicySource } from '../../domain/policy-source.js';
import { parsePolicyFile } from '../cedar/policy-file.js';

/** `what` is a policy's id, `schema`, or a file of tests. */
export type SetChange = { readonly what: string; readonly change: 'added' | 'removed' | 'changed' };

/** @throws RokError `policy_invalid`, naming the file that does not parse */
export function diffSets(from: PolicySource, to: PolicySource): readonly SetChange[] {
  const [before, after] = [partsOf(from), partsOf(to)];
  return [...new Set([...before.keys(), ...after.keys()])].sort().flatMap((what): readonly SetChange[] => {
    const [was, is] = [before.get(what), after.get(what)];
    if (was === is) return [];
    return [{ what, change: was === undefined ? 'added' : is === undefined ? 'removed' : 'changed' }];
  });
}

/** By what it is called, what it says; layout and comments of a policy say nothing. */
function partsOf({ files, schema, tests }: PolicySource): ReadonlyMap<string, string> {
  const text = (value: unknown): string => canonicalJson(JSON.parse(JSON.stringify(value)) as Json);
  return new Map([
    ...Object.entries(files).flatMap(([name, file]) =>
      parsePolicyFile(name, file).map(({ id, json }) => [id, text(json)] as const),
    ),
    ...(schema.trim() === '' ? [] : [['schema', schema.trim()] as const]),
    ...Object.entries(tests).map(([name, list]) => [`${name}.test.yaml`, text(list)] as const),
  ]);
}
