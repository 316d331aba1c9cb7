/**
 * The policy sets in force: the deployed one, and published ones by digest, read on first use. A stored set that no
 * longer loads denies every request that it would have answered; halts and limits still work.
 */
import { parsePolicySource, type PolicySource } from '../../domain/policy-source.js';
import type { Digest } from '../../domain/ids.js';
import type { Sql } from '../../domain/sql.js';
import { loadPolicies, type Policies } from '../cedar/cedar-check.js';
import type { PolicyCheck } from '../checks/check.js';
import { createPolicyChecker, type PolicyChecker } from '../policy-checker.js';

/** One policy set, and the checker that asks it. */
export type RulesInForce = { readonly policies: Policies; readonly checker: PolicyChecker };
export type PolicySets = {
  /** The set of this digest, and the deployed one for null. */
  of(sql: Sql, digest: Digest | null): Promise<RulesInForce>;
  /** Of a set that is in force nowhere; whoever loads it releases it. @throws RokError `policy_invalid` */
  load(source: PolicySource): RulesInForce;
};

/** Sets kept ready; the one not asked for the longest time goes first. */
const KEPT = 8;

export function createPolicySets(deployed: RulesInForce, custom: readonly PolicyCheck[]): PolicySets {
  const kept = new Map<Digest, RulesInForce>();
  return {
    load({ files, ...extras }) {
      const policies = loadPolicies(files, extras);
      return { policies, checker: createPolicyChecker(policies, custom) };
    },
    async of(sql, digest) {
      if (digest === null || digest === deployed.policies.digest) return deployed;
      const known = kept.get(digest);
      if (known !== undefined) {
        kept.delete(digest);
        kept.set(digest, known);
        return known;
      }
      const policies = await read(sql, digest);
      const rules = { policies, checker: createPolicyChecker(policies, custom) };
      kept.set(digest, rules);
      for (const [oldest, { policies: gone }] of kept) {
        if (kept.size <= KEPT) break;
        kept.delete(oldest);
        gone.release();
      }
      return rules;
    },
  };
}

async function read(sql: Sql, digest: Digest): Promise<Policies> {
  const [row] = await sql.query<{ body: string }>('SELECT body FROM decide.policy_sets WHERE digest = $1', [digest]);
  try {
    if (row === undefined) throw new Error('it is not stored');
    const parsed = parsePolicySource(JSON.parse(row.body));
    if (!parsed.ok) throw new Error(parsed.problems.join('; '));
    const { files, ...extras } = parsed.source;
    const policies = loadPolicies(files, extras);
    if (policies.digest !== digest) throw new Error('it does not have the digest it is named by');
    return policies;
  } catch (error) {
    return broken(digest, error instanceof Error ? error.message : 'it does not load');
  }
}

const broken = (digest: Digest, why: string): Policies => ({
  digest,
  body: '',
  files: [],
  check() {
    throw new Error(`policy set ${digest.slice(0, 16)}: ${why}`);
  },
  warm: () => false,
  release() {
    // Nothing was prepared.
  },
});
