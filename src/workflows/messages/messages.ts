/** The messages of a governed run: one signal, updates, and three queries. */
import { defineQuery, defineSignal, defineUpdate } from '@temporalio/workflow';
import type { ActorClaim, Assertion } from '../../domain/actor.js';
import type { HoldReason } from '../../domain/decision.js';
import type { Digest, Iso8601, RunId } from '../../domain/ids.js';
import type { Outcome, Phase } from '../../domain/phases.js';
import type { Fate } from '../../domain/protocol/decide.js';
import type { BudgetRaise } from '../../domain/protocol/raise.js';
import type { VerdictStatus } from '../../domain/verdict.js';

/**
 * Asks the run to close: it can only close, never steer. Before the run's deadline it is noted and ignored, but for one that
 * carries an assertion with `run.finalize` for this `updateId`.
 */
export type FinalizeRun = {
  readonly by: string;
  readonly actor?: Assertion;
  readonly updateId?: string;
  readonly reason?: string;
};
export const finalizeRunSignal = defineSignal<[FinalizeRun]>('finalize_run');

/** Acts of this run were recorded beside it: it shall look. Says nothing by itself, so anybody may send it. */
export const lookSignal = defineSignal('look');

export type ActorRequest = { readonly actor: ActorClaim; readonly reason?: string };
/** `was`: where the hold is for UNKNOWN_RESULT, what who looked says of the call. */
export type Resume = ActorRequest & { readonly was?: Fate };
/** `digest` must be the held action's. */
export type Answer = ActorRequest & { readonly hold: number; readonly digest: Digest };
export type ActorResponse = {
  readonly actor: string;
  readonly hold?: number;
  /** Of a raise: those that it resolved. */
  readonly holds?: readonly number[];
  readonly resolution?: string;
  readonly given?: number;
  readonly quorum?: number;
};

export const pauseUpdate = defineUpdate<ActorResponse, [ActorRequest]>('pause');
export const resumeUpdate = defineUpdate<ActorResponse, [Resume]>('resume');
export const cancelUpdate = defineUpdate<ActorResponse, [ActorRequest]>('cancel');
export const killUpdate = defineUpdate<ActorResponse, [ActorRequest]>('kill');
export const approveUpdate = defineUpdate<ActorResponse, [Answer]>('approve');
export const rejectUpdate = defineUpdate<ActorResponse, [Answer]>('reject');

/** An assertion for it is bound to the raise's own digest: no held action is named. */
export type RaiseBudget = BudgetRaise & { readonly actor: ActorClaim };
/** With the holds that it resolved: those that waited for just this budget. */
export type Raised = { readonly actor: string; readonly cap: string; readonly holds: readonly number[] };
export const raiseBudgetUpdate = defineUpdate<Raised, [RaiseBudget]>('raise_budget');

export type HoldStatus = {
  readonly hold: number;
  /** With `reason` its key; of a MANUAL hold `attempt` is the how many-th pause of the run it is. */
  readonly step: number;
  readonly attempt: number;
  readonly reason: HoldReason;
  readonly authority: string;
  readonly quorum: number;
  readonly given: number;
  readonly until: Iso8601;
  readonly digest: Digest | null;
  readonly what: string;
  /** It ends in 5 minutes, or less. */
  readonly warned: boolean;
};
export type RunStatus = {
  readonly run: RunId | null;
  readonly phase: Phase;
  readonly outcome: Outcome | null;
  readonly verdict: VerdictStatus | null;
  readonly step: number;
  readonly spentMicros: string;
  readonly capMicros: string;
  /** Those that are open, in the order in which they were opened. */
  readonly holds: readonly HoldStatus[];
};
export const statusQuery = defineQuery<RunStatus>('status');

export type ContractStatus = {
  readonly digest: Digest;
  readonly runDeadline: Iso8601;
  readonly finalizeDue: Iso8601;
  readonly expiresAt: Iso8601;
};
export const contractQuery = defineQuery<ContractStatus | null>('contract');
export const traceHeadQuery = defineQuery<{ readonly length: number; readonly hash: Digest | null }>('trace_head');

/** What a run's workflow returns. Money is a decimal string of micro-USD. */
export type RunResult = {
  readonly run: RunId;
  readonly phase: Phase;
  readonly outcome: Outcome;
  readonly detail: string;
  /** Null when the audit worker was away; the run is then judged later. */
  readonly verdict: VerdictStatus | null;
  readonly receipt: number | null;
  readonly decisions: { readonly allow: number; readonly deny: number; readonly pause: number };
  /** Calls that a model asked for and that were refused before a decision; null where another execution closed the run. */
  readonly refusedCalls: number | null;
  readonly attempts: number;
  readonly spentMicros: string;
  readonly traceEvents: number;
  /** Digest of the final answer in the content store, where there is one. */
  readonly answer: Digest | null;
};
