/** Check 7: what the ledger answered. Asked last, because a refused step must not have set anything aside. */
import type { Intent } from '../../domain/intent.js';
import type { Breach, Snapshot } from '../snapshot.js';
import { deny, type CheckResult, type Objection } from './check.js';

export function checkBudgets(intent: Intent, snapshot: Snapshot): CheckResult {
  const breach = snapshot.ledger?.breach;
  if (breach === undefined || breach === null) return { objections: [] };
  const text = `${breach.scope} ${breach.unit}: cap ${breach.cap}, spent ${breach.spent}, reserved ${breach.reserved}, over ${breach.over}`;
  const rule = `budget.${breach.scope}.${breach.unit}.${breach.window}`;
  return { objections: [objection(intent, snapshot, breach, rule, text)] };
}

function objection(intent: Intent, snapshot: Snapshot, breach: Breach, rule: string, text: string): Objection {
  const denied = deny('budget_exceeded', rule, text, intent.kind === 'model.call');
  // One answer per action: while the cap is what it was, asking again would only hold again.
  const answered = snapshot.pastHolds.some((hold) => hold.reason === 'BUDGET');
  if (breach.on_breach === 'pause' && !answered)
    return {
      effect: 'pause',
      reason: denied.reason,
      terms: { reason: 'BUDGET', authority: 'finance', quorum: 1, slaMs: 3_600_000, onTimeout: 'terminate' },
    };
  const cheaper = snapshot.agent?.downgrade;
  if (
    breach.on_breach === 'downgrade' &&
    intent.kind === 'model.call' &&
    cheaper !== undefined &&
    cheaper !== null &&
    cheaper !== intent.target
  )
    return { ...deny('budget_exceeded', rule, text, false), effect: 'deny', suggest: { model: cheaper } };
  return denied;
}
