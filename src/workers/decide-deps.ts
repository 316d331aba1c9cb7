/** Builds the deciding power from the deployment's files, and stores the files that decisions will refer to. */
import { v7 as uuidv7 } from 'uuid';
import { createClaimVerifier } from '../decide/actors/access.js';
import { loadPolicies } from '../decide/cedar/cedar-check.js';
import { CUSTOM_CHECKS } from '../decide/checks/registry.js';
import type { DecideDeps } from '../decide/deps.js';
import { createPolicyChecker } from '../decide/policy-checker.js';
import { createPolicySets } from '../decide/policies/in-force.js';
import { createPriceTables } from '../decide/ledger/price-tables.js';
import { createPriceTable } from '../decide/ledger/prices.js';
import { RokError } from '../domain/errors.js';
import { PROFILE_RULES } from '../domain/profiles.js';
import type { Sql } from '../domain/sql.js';
import {
  agentsFolder,
  loadAgents,
  loadPolicySource,
  loadPriceRows,
  policiesFolder,
  pricesFile,
} from '../platform/config/files.js';
import { StartError } from '../platform/start-error.js';
import { assertionKeysOf } from './assertion-keys.js';
import type { WorkerSetup } from './setup.js';

/** @throws StartError with one sentence for whatever is wrong with agents, policies, prices or keys */
export async function loadDecideDeps(setup: WorkerSetup): Promise<DecideDeps> {
  const { config, extensions, log } = setup;
  const [agents, { files, ...extras }, rows, keys] = await Promise.all([
    loadAgents(agentsFolder(config)),
    loadPolicySource(policiesFolder(config)),
    loadPriceRows(pricesFile(config)),
    assertionKeysOf(setup),
  ]);
  const policies = orStartError(() => loadPolicies(files, extras));
  if (policies.files.length === 0) {
    if (PROFILE_RULES[config.profile].requirePolicySet)
      throw new StartError({
        code: 'config_invalid',
        message: `profile ${config.profile} needs a policy set and \`${policiesFolder(config)}\` holds none`,
        hint: 'write one with `rok init`',
        exitCode: 1,
      });
    log.warn({ folder: policiesFolder(config) }, 'no policy set');
  }
  for (const agent of agents.values())
    for (const name of agent.policies)
      if (!policies.files.includes(name))
        throw new StartError({
          code: 'config_invalid',
          message: `agent \`${agent.name}\` names policy file \`${name}\`, which is not in \`${policiesFolder(config)}\``,
          hint: 'add it or correct the agent',
          exitCode: 1,
        });
  const checks = [...CUSTOM_CHECKS, ...(extensions?.checks ?? [])];
  const prices = createPriceTable(rows);
  const deployed = { policies, checker: createPolicyChecker(policies, checks) };
  return {
    deployed,
    sets: createPolicySets(deployed, checks),
    prices,
    tables: createPriceTables(prices),
    agents,
    profile: config.profile,
    verifyClaim: createClaimVerifier(keys?.keys ?? null, keys?.issuers ?? null),
    newRunUuid: () => uuidv7(),
  };
}

/** Decisions name these by digest, so they are stored before the first decision. */
export async function storeInputs(sql: Sql, { deployed: { policies }, prices }: DecideDeps): Promise<void> {
  await sql.query(
    `WITH p AS (INSERT INTO decide.policy_sets (digest, body, author, reason) VALUES ($1, $2, 'deployment', 'loaded at start') ON CONFLICT DO NOTHING)
    INSERT INTO decide.price_tables (digest, body) VALUES ($3, $4) ON CONFLICT DO NOTHING`,
    [policies.digest, policies.body, prices.digest, prices.body],
  );
}

function orStartError<T>(work: () => T): T {
  try {
    return work();
  } catch (error) {
    if (!(error instanceof RokError)) throw error;
    throw new StartError({
      code: 'config_invalid',
      message: error.message,
      hint: 'correct the policy; `rok doctor` checks it again',
      exitCode: 1,
      cause: error,
    });
  }
}
