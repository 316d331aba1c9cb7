/**
 * The snapshot: everything a decision depends on, as canonical JSON stored by digest, so that the decision can be
 * computed again.
 */
import type { Agent } from '../domain/agent.js';
import type { Digest } from '../domain/ids.js';
import type { Json } from '../domain/json.js';
import type { Limits } from '../domain/limits.js';
import type { Profile } from '../domain/profiles.js';

/** What the run has done so far. */
export type Counters = {
  readonly steps: number;
  readonly modelCalls: number;
  /** Allowed calls per skill name. */
  readonly skillCalls: Readonly<Record<string, number>>;
  /** Succeeded calls per skill name. */
  readonly succeeded: Readonly<Record<string, number>>;
  /** Step of the last call that succeeded, per skill name. */
  readonly lastSuccess: Readonly<Record<string, number>>;
  readonly denials: number;
};
export const NO_COUNTERS: Counters = {
  steps: 0,
  modelCalls: 0,
  skillCalls: {},
  succeeded: {},
  lastSuccess: {},
  denials: 0,
};

/** A call that came back: its request digest, and its content's digest or how it failed. */
export type PastCall = { readonly request: string; readonly result: string };

/** A hold of this very action that has ended: of this step while no attempt of it succeeded; a rejection, of any step. */
export type PastHold = {
  readonly hold: number;
  readonly reason: string;
  readonly authority: string;
  readonly resolution: string;
  readonly onTimeout: string;
};

/** An account that refused. Amounts are decimal strings of its unit. */
export type Breach = {
  readonly scope: string;
  readonly subject: string;
  readonly unit: string;
  readonly window: string;
  readonly on_breach: string;
  readonly cap: string;
  readonly spent: string;
  readonly reserved: string;
  readonly over: string;
};
/** What decide.settle_and_reserve answered. */
export type LedgerAnswer = {
  readonly ok: boolean;
  readonly output_tokens?: number | null;
  readonly micros?: string;
  readonly tokens?: number;
  /** Every account that cannot take it, the narrowest scope first. */
  readonly breaches?: readonly Breach[];
  readonly warnings?: readonly { readonly scope: string; readonly subject: string; readonly unit: string }[];
};

export type RateEnforcement = 'soft' | 'hard';
/** A rate limit that this call falls under, with its state. */
export type RateLimit = {
  readonly scope: string;
  readonly subject: string;
  readonly enforcement: RateEnforcement;
  readonly calls: number;
  readonly periodS: number;
  readonly burst: number;
  readonly everyUs: number;
  /** Theoretical arrival time of the next call, microseconds since the Unix epoch. */
  readonly tatUs: number;
};
/** What decide.rates_of answered; `nowUs` is the time that these go by. */
export type RateFacts = { readonly nowUs: number; readonly limits: readonly RateLimit[] };

export type Snapshot = {
  /** Database time, milliseconds since the Unix epoch. */
  readonly nowMs: number;
  readonly run: {
    readonly tenant: string;
    readonly agent: string;
    readonly profile: Profile;
    readonly openedMs: number;
    readonly deadlineMs: number;
    readonly outcome: string | null;
    readonly labels: Readonly<Record<string, string>>;
    readonly actor: { readonly name: string; readonly roles: readonly string[] };
  };
  readonly agent: {
    readonly digest: Digest;
    readonly skills: readonly string[];
    readonly policies: readonly string[];
    readonly downgrade: string | null;
  } | null;
  readonly limits: Limits;
  readonly counters: Counters;
  readonly halted: boolean;
  readonly pastHolds: readonly PastHold[];
  /** Authorities that approved this very action of this step, in order of name. */
  readonly approvals: readonly string[];
  /** The last calls of earlier turns, the newest first. */
  readonly recent: readonly PastCall[];
  /** Whether this very action was decided before, in this step. */
  readonly rechecked: boolean;
  /** Null where no rate limit applies. */
  readonly rates: RateFacts | null;
  /** A skill's arguments; null for other intents. Stored with the snapshot only where the content store has them not. */
  readonly arguments: Json;
  readonly argumentsStored: boolean;
  /** Upper bound of the input in tokens; null when the context is not stored. */
  readonly inputTokens: number | null;
  /** Whether a provider took more than this run's grant allowed it. */
  readonly overrun: boolean;
  /** Whether a price applies to the target; null where none is needed. */
  readonly priced: boolean | null;
  readonly budget: { readonly spentMicros: string; readonly capMicros: string };
  /** Problems found before there was anything to check: of the spec, the agent or the actor. */
  readonly problems: readonly {
    readonly code: 'spec_invalid' | 'agent_unknown' | 'actor_refused';
    readonly text: string;
  }[];
  /** Null until the checks before it allow. */
  readonly ledger: LedgerAnswer | null;
};

/** What a decision depends on of the agent's file. */
export const agentFacts = (agent: Agent | null): Snapshot['agent'] =>
  agent === null
    ? null
    : { digest: agent.digest, skills: agent.skills, policies: agent.policies, downgrade: agent.downgrade ?? null };

/** The parts that an intent without call and money leaves empty. */
export const nothingAsked = (limits: Limits, spentMicros = '0') =>
  ({
    pastHolds: [],
    approvals: [],
    recent: [],
    rechecked: false,
    rates: null,
    arguments: null,
    argumentsStored: false,
    inputTokens: null,
    overrun: false,
    priced: null,
    budget: { spentMicros, capMicros: limits.usdMicros },
    ledger: null,
  }) as const;
