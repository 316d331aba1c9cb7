/**
 * The type of a check and of its objections. A custom check has the same type and is registered by one line in
 * checks/registry.ts.
 */
import type { HoldReason, Notice, Reason } from '../../domain/decision.js';
import type { Intent, IntentKind } from '../../domain/intent.js';
import type { Snapshot } from '../snapshot.js';

export type PauseTerms = {
  readonly reason: HoldReason;
  readonly authority: string;
  readonly quorum: number;
  readonly slaMs: number;
  readonly onTimeout: 'terminate' | 'continue' | 'escalate';
};

export type Denial = {
  readonly effect: 'deny';
  readonly reason: Reason;
  readonly final: boolean;
  readonly always?: boolean;
  readonly suggest?: { readonly model: string };
  readonly retryAfterMs?: number;
};

/** One objection. `final` ends the run; else the denial is told to the model, or waited out. `always` blocks in OBSERVE_ONLY too. */
export type Objection = Denial | { readonly effect: 'pause'; readonly reason: Reason; readonly terms: PauseTerms };

export type CheckResult = {
  readonly objections: readonly Objection[];
  readonly notices?: readonly Notice[];
  readonly determining?: readonly string[];
};

/** A check of one's own. Pure: the same intent and snapshot give the same reasons. */
export type PolicyCheck = {
  readonly id: string;
  /** The intents that it is asked about. */
  readonly bindsTo: readonly IntentKind[];
  check(intent: Intent, snapshot: Snapshot): readonly Reason[];
};

export const deny = (code: Reason['code'], rule: string, text: string, final: boolean): Denial => ({
  effect: 'deny',
  reason: { code, rule: rule as Reason['rule'], text },
  final,
});
