/**
 * Check 7: the ledger's answer. It comes last, because a refused step must not have reserved anything. Each breached
 * account says what its breach means: deny, pause for a raise, or a cheaper model.
 */
import type { Intent } from '../../domain/intent.js';
import type { Breach, Snapshot } from '../snapshot.js';
import { deny, type CheckResult, type Objection } from './check.js';

export const checkBudgets = (intent: Intent, snapshot: Snapshot): CheckResult => ({
  objections: (snapshot.ledger?.breaches ?? []).map((breach) => objection(intent, snapshot, breach)),
});

export const budgetRule = ({ scope, unit, window }: Pick<Breach, 'scope' | 'unit' | 'window'>): string =>
  `budget.${scope}.${unit}.${window}`;

function objection(intent: Intent, snapshot: Snapshot, breach: Breach): Objection {
  const text = `${breach.scope} ${breach.unit}: cap ${breach.cap}, spent ${breach.spent}, reserved ${breach.reserved}, over ${breach.over}`;
  const denied = deny('budget_exceeded', budgetRule(breach), text, intent.kind === 'model.call');
  // An approval or a rejection is the one answer to this action: while the cap is what it was, asking again would only hold
  // again. A raise is no answer but a new cap: where that is not enough, or another account is short, it pauses for the next.
  const answered = snapshot.pastHolds.some((hold) => hold.reason === 'BUDGET' && hold.resolution !== 'raised');
  if (breach.on_breach === 'pause' && !answered)
    return {
      effect: 'pause',
      reason: denied.reason,
      terms: { reason: 'BUDGET', authority: 'finance', quorum: 1, slaMs: 3_600_000, onTimeout: 'terminate' },
    };
  const cheaper = snapshot.agent?.downgrade ?? null;
  if (breach.on_breach === 'downgrade' && intent.kind === 'model.call' && cheaper !== null && cheaper !== intent.target)
    return { ...denied, final: false, suggest: { model: cheaper } };
  return denied;
}
