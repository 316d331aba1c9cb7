/** The answer to an intent. Never a boolean, written once. */
import type { Digest, Iso8601, RuleId } from './ids.js';
import type { Intent } from './intent.js';

export const HOLD_REASONS = [
  'APPROVAL_REQUIRED',
  'BUDGET',
  'RATE_LIMIT',
  'POLICY_CHANGED',
  'NO_PROGRESS',
  'UNKNOWN_RESULT',
  'MANUAL',
] as const;
export type HoldReason = (typeof HOLD_REASONS)[number];

/** Why: a code from docs/reasons.md, the rule that gave it, and one sentence without content or secrets. */
export type Reason = { readonly code: ReasonCode; readonly rule: RuleId; readonly text: string };
export const REASON_CODES = [
  'spec_invalid',
  'agent_unknown',
  'actor_refused',
  'halted',
  'limit_steps',
  'limit_wall_time',
  'limit_model_calls',
  'limit_skill_calls',
  'no_progress',
  'policy_forbids',
  'policy_not_permitted',
  'policy_requires_approval',
  'approval_rejected',
  'rate_limited',
  'budget_exceeded',
  'no_price',
  'overrun',
  'check_failed',
  'context_unknown',
] as const;
export type ReasonCode = (typeof REASON_CODES)[number];

/**
 * What was noted but did not decide: a shadow policy, a warning at 80 %, a soft rate limit in STANDARD, or what OBSERVE_ONLY
 * would have blocked.
 */
export type Notice = {
  readonly code: 'would_deny' | 'would_wait' | 'would_pause' | 'shadow' | 'budget_warning' | 'rate_warning';
  readonly rule: RuleId;
  readonly text: string;
};

/** What an allow permits. */
export type Grant = { readonly model?: string; readonly outputTokens?: number; readonly notAfter: Iso8601 };

export type HoldTerms = {
  readonly reason: HoldReason;
  /** Who may resolve it: an actor with role `approver:<authority>`, `operator` or `admin`. */
  readonly authority: string;
  readonly quorum: number;
  readonly until: Iso8601;
  readonly onTimeout: 'terminate' | 'continue' | 'escalate';
};

export type Ruling =
  | { readonly effect: 'allow'; readonly grant: Grant }
  | {
      readonly effect: 'deny';
      readonly reasons: readonly Reason[];
      readonly final: boolean;
      readonly suggest?: { readonly model: string };
      /** Nothing but a rate objects: asked again after this time, it may be allowed. */
      readonly retryAfterMs?: number;
    }
  | { readonly effect: 'pause'; readonly hold: HoldTerms; readonly reasons: readonly Reason[] };

export type Decision = {
  readonly intent: Intent;
  readonly snapshotDigest: Digest;
  readonly policySetDigest: Digest;
  readonly priceTableDigest: Digest;
  readonly determining: readonly RuleId[];
  readonly errors: readonly Reason[];
  readonly notices: readonly Notice[];
} & Ruling;
