/** Finds every problem of a policy set before it is published. Pure. */
import type { PolicySource } from '../../domain/policy-source.js';
import { ANNOTATIONS, parsePolicyFile, type Policy } from '../cedar/policy-file.js';
import { schemaOf, validatePolicies } from './schema.js';

/** `where` is a policy's id, or a file's name. */
export type LintProblem = { readonly where: string; readonly text: string };

export function lintSet({ files, schema, tests }: PolicySource): readonly LintProblem[] {
  const problems: LintProblem[] = [];
  const policies: Policy[] = [];
  for (const [name, text] of Object.entries(files)) {
    try {
      policies.push(...parsePolicyFile(name, text));
    } catch (error) {
      problems.push({ where: name, text: error instanceof Error ? error.message : 'does not parse' });
    }
  }
  if (Object.keys(files).length === 0) problems.push({ where: 'set', text: 'it holds no policy' });
  problems.push(...policies.flatMap(annotationProblems));
  const texts = Object.fromEntries(policies.map((policy) => [policy.id, policy.text]));
  for (const { policy, text } of validatePolicies(schemaOf(schema), texts)) problems.push({ where: policy, text });
  for (const [name, list] of Object.entries(tests))
    for (const test of list)
      for (const file of test.request.policies ?? [])
        if (!Object.hasOwn(files, file))
          problems.push({ where: `${name}.test: ${test.name}`, text: `no policy file \`${file}\` in the set` });
  return problems;
}

function annotationProblems(policy: Policy): readonly LintProblem[] {
  const known: readonly string[] = ANNOTATIONS;
  const unknown = Object.keys(policy.annotations).filter((name) => !known.includes(name));
  return [
    ...unknown.map((name) => ({
      where: policy.id,
      text: `\`@${name}\` is no annotation; there are ${known.join(', ')}`,
    })),
    ...(policy.annotations['id'] === undefined
      ? [{ where: policy.id, text: 'it has no `@id`, so that its place in the file is its name' }]
      : []),
  ];
}
