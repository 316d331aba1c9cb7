/**
 * The protocol of the deciding power: what workflows ask of it, by local activities that are idempotent by (run, step,
 * attempt), never by clock or order.
 */
import type { ActorClaim } from '../actor.js';
import type { ContextRef } from '../context.js';
import type { Decision, HoldTerms, Reason, Ruling } from '../decision.js';
import type { Digest, Iso8601, RunId } from '../ids.js';
import type { Intent } from '../intent.js';
import type { Json } from '../json.js';
import type { InputCommitment } from '../input-commitment.js';
import type { Outcome, Phase } from '../phases.js';
import type { Profile } from '../profiles.js';
import type { BudgetRaise } from './raise.js';

export type OpenInput = { readonly spec: unknown; readonly continuedFrom?: string };
export type Opened = {
  readonly run: RunId;
  readonly tenant: string;
  readonly agent: string;
  readonly profile: Profile;
  readonly phase: Phase;
  /** The `run.start` ruling. */
  readonly ruling: Ruling;
  readonly agentDigest: Digest | null;
  readonly contractDigest: Digest;
  readonly specDigest: Digest;
  readonly model: string | null;
  readonly maxOutputTokens: number;
  readonly steps: number;
  readonly capMicros: string;
  readonly runDeadline: Iso8601;
  readonly finalizeDue: Iso8601;
  readonly expiresAt: Iso8601;
  /** Until the run's deadline, by database time; the workflow's own timer sleeps this long. */
  readonly remainingMs: number;
  readonly graceMs: number;
  /** The spec again, only where it parsed. */
  readonly labels: Readonly<Record<string, string>>;
  /** The first context, where an execute worker has counted what the agent brings; else it is to be prepared. */
  readonly opening?: InputCommitment;
  /** Of an own workflow: under which its steps' arguments are named, so that nobody can try them out. */
  readonly argumentsSalt?: string;
};

export type StepRequest = {
  readonly run: RunId;
  readonly intent: Intent;
  /** Warrants of earlier turns and of the same step are settled or voided first. */
  readonly turn: number;
  readonly context?: ContextRef;
  /** Arguments of a step whose content is not in ROK's store (own workflows): must have `intent.argumentsDigest`. */
  readonly arguments?: Json;
  readonly argumentsSalt?: string;
};
export type StepAnswer =
  | {
      readonly kind: 'decided';
      readonly ruling: Ruling;
      readonly actionDigest: Digest;
      readonly digests: Pick<Decision, 'snapshotDigest' | 'policySetDigest' | 'priceTableDigest'>;
      readonly determining: readonly string[];
      readonly notices: readonly string[];
      /** Number of the hold that a pause opened. */
      readonly hold?: number;
      readonly runDeadlineInMs: number;
      readonly spentMicros: string;
    }
  | { readonly kind: 'conflict'; readonly nextAttempt: number }
  /** The run admits nothing more (latched, repaired, killed). */
  | { readonly kind: 'closed'; readonly phase: Phase; readonly outcome: Outcome | null };

/** Its key is (step, attempt, reason); of a MANUAL hold `attempt` is the how many-th pause of the run it is. */
export type HoldRequest = {
  readonly run: RunId;
  readonly step: number;
  readonly attempt: number;
  readonly reason: 'MANUAL' | 'UNKNOWN_RESULT';
  readonly by: string;
};
/** `resolution` where it was opened and ended before. */
export type HoldAnswer = {
  readonly hold: number;
  readonly terms: HoldTerms;
  readonly remainingMs: number;
  readonly resolution: HoldResolution | null;
};
export type HoldResolution = 'approved' | 'rejected' | 'resumed' | 'raised' | 'timed_out' | 'ended';
export type EndedHold = { readonly hold: number; readonly resolution: HoldResolution };
export type ResolveRequest = { readonly run: RunId; readonly hold: number; readonly resolution: HoldResolution };
export type ResolveAnswer =
  | {
      readonly resolved: true;
      readonly resolution: HoldResolution;
      readonly onTimeout: HoldTerms['onTimeout'];
      readonly runDeadlineInMs: number;
    }
  /** Not yet due by database time. */
  | { readonly resolved: false; readonly remainingMs: number };

export const ACTOR_VERBS = [
  'pause',
  'resume',
  'cancel',
  'kill',
  'finalize',
  'approve',
  'reject',
  'raise_budget',
] as const;
export type ActorVerb = (typeof ACTOR_VERBS)[number];
/** What an operator who looked says of a call of which nobody heard whether it was done. */
export const FATES = ['done', 'not_done'] as const;
export type Fate = (typeof FATES)[number];
export type SaidFate = { readonly was: Fate; readonly by: string };
export type ActRequest = {
  readonly run: RunId;
  readonly verb: ActorVerb;
  readonly updateId: string;
  readonly claim: ActorClaim;
  readonly hold?: number;
  readonly digest?: Digest;
  readonly reason?: string;
  /** Of `resume`, where the hold is for UNKNOWN_RESULT. */
  readonly was?: Fate;
  /** Of `raise_budget`, which is bound to its digest and to no held action. */
  readonly raise?: BudgetRaise;
};
export type ActAnswer =
  | {
      readonly allowed: true;
      readonly actor: string;
      /** Of a raise: the holds that it resolved, which waited for that account. */
      readonly holds?: readonly number[];
      readonly resolution?: HoldResolution;
      readonly given?: number;
      readonly quorum?: number;
      readonly runDeadlineInMs?: number;
    }
  | {
      readonly allowed: false;
      readonly actor: string;
      readonly reason: Reason;
      /** Not kept in full but counted: an equal refusal was kept, or as many as are kept. */
      readonly counted: boolean;
    };

/** What came beside the run (workflow `administer`) and was allowed. `seen`: how many of them the run knows. */
export type LookRequest = { readonly run: RunId; readonly seen: number };
export type SideAct = {
  readonly verb: ActorVerb;
  readonly updateId: string;
  readonly actor: string;
  readonly hold?: number;
  /** Of a raise: those that waited for just that budget. */
  readonly holds?: readonly number[];
  readonly given?: number;
  readonly resolution?: HoldResolution;
  readonly was?: Fate;
  readonly raise?: BudgetRaise;
};
/** In the order in which they were taken; `more` where there are more than one answer holds. */
export type LookAnswer = {
  readonly acts: readonly SideAct[];
  readonly more: boolean;
  readonly runDeadlineInMs: number;
};

/** `answer` is the digest of the final answer's content, where the body gave one. */
export type LatchRequest = {
  readonly run: RunId;
  readonly outcome: Outcome;
  readonly detail: string;
  readonly answer: Digest | null;
};
/** `decision` is the `run.outcome` decision; null where the run was final before one was made. */
export type LatchAnswer = {
  readonly outcome: Outcome;
  readonly decision: { readonly step: number; readonly attempt: number } | null;
  /** Until finalize_due, by database time; below 0 after it. Not in answers that were recorded before it was told. */
  readonly dueInMs?: number;
  /** Every hold of the run: none is open any more. Not in answers that were recorded before it was told. */
  readonly holds?: readonly EndedHold[];
};
export type FinalizeAnswer = {
  readonly phase: Phase;
  readonly outcome: Outcome;
  readonly spentMicros: string;
  readonly tokens: number;
  readonly decisions: { readonly allow: number; readonly deny: number; readonly pause: number };
  readonly attempts: number;
  readonly onTime: boolean;
};
/** Whether `finalize_run` may end the run now: only past the run's deadline, by database time. */
export type DueAnswer = { readonly due: boolean; readonly remainingMs: number };

export interface DecideActivities {
  'decide.open'(input: OpenInput): Promise<Opened>;
  'decide.step'(request: StepRequest): Promise<StepAnswer>;
  'decide.hold'(request: HoldRequest): Promise<HoldAnswer>;
  'decide.resolve'(request: ResolveRequest): Promise<ResolveAnswer>;
  'decide.act'(request: ActRequest): Promise<ActAnswer>;
  'decide.look'(request: LookRequest): Promise<LookAnswer>;
  'decide.isDue'(request: { readonly run: RunId }): Promise<DueAnswer>;
  /** Fixes the outcome, and decides `run.outcome` on it. */
  'decide.latch'(request: LatchRequest): Promise<LatchAnswer>;
  /** Latches too, where the latch itself could not be had in time: this one act is always reached. */
  'decide.finalize'(request: LatchRequest): Promise<FinalizeAnswer>;
  /** The one act another workflow may do: makes itself the run's history when the run is STALE or its workflow is closed. */
  'decide.repair'(request: RepairRequest): Promise<RepairAnswer>;
}
export type RepairRequest = { readonly run: RunId; readonly reason: 'stale' | 'workflow_closed' };
export type RepairAnswer =
  | {
      readonly adopted: true;
      readonly tenant: string;
      readonly agent: string;
      readonly outcome: Outcome;
      readonly lastStep: number;
      readonly graceMs: number;
    }
  /** `refused` where policies denied the repair; else there was nothing to repair. */
  | { readonly adopted: false; readonly phase: Phase; readonly refused?: readonly Reason[] };
