/**
 * What the deciding power works with, passed in by the worker: policies, prices, agents, profile, and how to verify an
 * assertion. No clock, no private key, no network; the database handle is passed beside it.
 */
import type { Agent } from '../domain/agent.js';
import type { Profile } from '../domain/profiles.js';
import type { ClaimVerifier } from './actors/access.js';
import type { PolicySets, RulesInForce } from './policies/in-force.js';
import type { PriceTables } from './ledger/price-tables.js';
import type { PriceTable } from './ledger/prices.js';

export type DecideDeps = {
  /** The set that was deployed with the worker. */
  readonly deployed: RulesInForce;
  /** By which set a tenant's runs are decided: the deployed one or a published one. */
  readonly sets: PolicySets;
  readonly prices: PriceTable;
  /** Those by which earlier decisions are settled. */
  readonly tables: PriceTables;
  readonly agents: ReadonlyMap<string, Agent>;
  /** The worker's profile; a tenant's own goes before it. */
  readonly profile: Profile;
  readonly verifyClaim: ClaimVerifier;
  /** A new uuid v7, for a run's id. */
  readonly newRunUuid: () => string;
};
