/**
 * The protocol of the executing power: what workflows ask of it, by remote activities on `rok-execute`. Only digests,
 * counts and statuses come back.
 */
import type { AttemptResult } from '../attempt.js';
import type { CallRefusal } from '../call-refusal.js';
import type { ContextEntry, ContextRef } from '../context.js';
import type { Grant } from '../decision.js';
import type { Digest, RunId } from '../ids.js';
import type { Intent } from '../intent.js';
import type { Json, JsonObject } from '../json.js';
import type { InputCommitment } from '../input-commitment.js';
import type { Outcome } from '../phases.js';

export type PrepareInput = {
  readonly run: RunId;
  readonly agent: string;
  readonly agentDigest: Digest;
  readonly input: Json;
};
/** The stored first context: tools, instructions, input. */
export type Prepared = { readonly contextDigest: Digest };

export type ExecuteStep = {
  readonly run: RunId;
  readonly tenant: string;
  readonly agent: string;
  readonly agentDigest: Digest;
  readonly intent: Intent;
  readonly actionDigest: Digest;
  readonly grant: Grant;
  /** For a model call: the conversation so far. */
  readonly context?: ContextRef;
  /** For the first model call of a run: what its conversation begins with. */
  readonly first?: FirstInput;
};
/** A run's input, and by what it is known. */
export type FirstInput = InputCommitment & { readonly input: Json };

/**
 * A skill call that a model asked for; of a skill that the agent has not too, so that the deciders deny it. `malformed` holds
 * the stored error that goes back to the model instead of an intent.
 */
export type ToolCall = {
  readonly callId: string;
  readonly skill: string;
  readonly target: string;
  readonly argumentsDigest: Digest;
  readonly access: 'read' | 'write';
  /** Whether a call whose fate is unknown may be tried again. */
  readonly repeatable: boolean;
  readonly malformed?: Digest;
  /** Why, where it is malformed. */
  readonly refusal?: CallRefusal;
};

export type ModelAnswer = {
  readonly finishReason: string;
  readonly truncated: boolean;
  readonly toolCalls: readonly ToolCall[];
  /** Calls beyond what one answer may ask for, and what was stored of them. */
  readonly dropped?: { readonly calls: number; readonly digest: Digest };
  /** What the next turn adds to the context before the skills' results. */
  readonly entry: ContextEntry;
};

export type StepResult = {
  readonly result: AttemptResult;
  /** Digest of the attempt's result row, for the trace; null when no warrant was redeemed. */
  readonly resultDigest: Digest | null;
  readonly model?: ModelAnswer;
};

export type CloseOut = {
  readonly run: RunId;
  readonly tenant: string;
  readonly agent: string;
  readonly outcome: Outcome;
  /** The `run.outcome` decision that the evaluation records; null when it could not be had in time. */
  readonly decision: { readonly step: number; readonly attempt: number } | null;
  readonly lastStep: number;
  readonly detail: string;
};

/** A denial or refusal told to the model as a tool's result. */
export type TellInput = { readonly run: RunId; readonly texts: readonly string[] };

/** A step of an own workflow, before its activity runs. The nonce makes a repeat the same redemption. */
export type BeginInput = {
  readonly run: RunId;
  readonly intent: Intent;
  readonly arguments: JsonObject;
  readonly argumentsSalt?: string;
  readonly nonce: string;
};
export type Begun = { readonly redeemed: boolean; readonly refusal: string };
export type RecordInput = {
  readonly run: RunId;
  readonly step: number;
  readonly attempt: number;
  readonly ended:
    { readonly status: 'succeeded'; readonly output: Json } | { readonly status: 'unknown'; readonly cause: string };
};

export interface ExecuteActivities {
  'execute.prepare'(input: PrepareInput): Promise<Prepared>;
  'execute.step'(input: ExecuteStep): Promise<StepResult>;
  /** Stores small texts of ROK's own (denials told to the model) and returns their digests. Calls nothing. */
  'execute.tell'(input: TellInput): Promise<readonly Digest[]>;
  'execute.begin'(input: BeginInput): Promise<Begun>;
  'execute.record'(input: RecordInput): Promise<StepResult>;
  'execute.close_out'(input: CloseOut): Promise<{ readonly acked: readonly string[] }>;
}
