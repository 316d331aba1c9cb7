/** What the deciders of the tests are given: one agent, one policy set, three prices. The same in every process. */
import { randomUUID } from 'node:crypto';
import { createClaimVerifier } from '../../src/decide/actors/access.js';
import { loadPolicies } from '../../src/decide/cedar/cedar-check.js';
import type { DecideDeps } from '../../src/decide/deps.js';
import { createPolicyChecker } from '../../src/decide/policy-checker.js';
import { createPolicySets } from '../../src/decide/policies/in-force.js';
import { createPriceTables } from '../../src/decide/ledger/price-tables.js';
import { createPriceTable } from '../../src/decide/ledger/prices.js';
import { parseAgent } from '../../src/domain/agent.js';

const POLICIES = `@id("all") permit (principal, action, resource);
  @id("ask") @effect("pause") @authority("finance") forbid (principal, action == Action::"skill.call", resource == Skill::"pay");`;

/** Every token costs one micro-USD, of the cheap model a tenth, of the free one nothing. */
const PRICES = {
  'scripted/a': { input_cost_per_token: 1e-6, output_cost_per_token: 1e-6 },
  'scripted/cheap': { input_cost_per_token: 1e-7, output_cost_per_token: 1e-7 },
  'scripted/free': { input_cost_per_token: 0, output_cost_per_token: 0 },
};

/** @param agent fields of the agent's file, over those it has here */
export function depsWith(agent: object = {}): DecideDeps {
  const policies = loadPolicies({ default: POLICIES });
  const parsed = parseAgent({
    name: 'clerk',
    model: 'scripted/a',
    instructions: 'help',
    skills: ['look', 'pay'],
    limits: { usd: '0.001000' },
    ...agent,
  });
  if (!parsed.ok) throw new Error(parsed.problems.join('; '));
  const prices = createPriceTable(PRICES);
  const deployed = { policies, checker: createPolicyChecker(policies, []) };
  return {
    deployed,
    sets: createPolicySets(deployed, []),
    prices,
    tables: createPriceTables(prices),
    agents: new Map([[parsed.agent.name, parsed.agent]]),
    profile: 'STANDARD',
    verifyClaim: createClaimVerifier(null),
    newRunUuid: randomUUID,
  };
}
