/**
 * Publishes a set: lint it, validate it, run its own tests, find every agent's files in it; then store it whole under
 * its digest and roll it out. Runs use it from their next step on. If any part is wrong, nothing is stored.
 */
import type { Agent } from '../../domain/agent.js';
import { bodyOf, digestOf, parsePolicySource } from '../../domain/policy-source.js';
import type { AdminAct } from '../../domain/protocol/administer.js';
import type { Sql } from '../../domain/sql.js';
import { lintSet } from './lint.js';
import { runSetTests } from './set-tests.js';

type Publish = Extract<AdminAct, { readonly verb: 'policy.publish' }>;

/** @returns the set's digest. A set that was stored before keeps its first author and reason; the rollout has this one's. */
export async function publish(sql: Sql, { source, tenant, reason }: Publish, by: string): Promise<readonly string[]> {
  const digest = digestOf(source);
  await sql.query(
    `INSERT INTO decide.policy_sets (digest, body, author, reason) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING`,
    [digest, bodyOf(source), by, reason],
  );
  await sql.query('INSERT INTO decide.rollouts (tenant, digest, author, reason) VALUES ($1, $2, $3, $4)', [
    tenant,
    digest,
    by,
    reason,
  ]);
  return [digest];
}

export type Unfit = { readonly code: 'policy_invalid' | 'policy_test_failed'; readonly problems: readonly string[] };

/** Why a set may not be published: every reason of the first kind that there is. It comes from outside as it is. */
export function unfit(value: unknown, agents: ReadonlyMap<string, Agent>): Unfit | null {
  const parsed = parsePolicySource(value);
  if (!parsed.ok) return { code: 'policy_invalid', problems: parsed.problems };
  const { source } = parsed;
  const invalid = [
    ...lintSet(source).map(({ where, text }) => `${where}: ${text}`),
    ...[...agents.values()].flatMap((agent) =>
      agent.policies
        .filter((name) => !Object.hasOwn(source.files, name))
        .map((name) => `agent \`${agent.name}\` names policy file \`${name}\`, which is not in the set`),
    ),
  ];
  if (invalid.length > 0) return { code: 'policy_invalid', problems: invalid };
  const failed = runSetTests(source).filter((result) => result.problems.length > 0);
  if (failed.length === 0) return null;
  return {
    code: 'policy_test_failed',
    problems: failed.map(({ file, name, problems }) => `${file}.test: ${name}: ${problems.join(', ')}`),
  };
}
