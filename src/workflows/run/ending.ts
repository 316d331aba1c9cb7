/** The ways in which a run's body ends other than by returning. */
import type { Reason } from '../../domain/decision.js';
import type { Outcome } from '../../domain/phases.js';

export type Ending = { readonly outcome: Outcome; readonly detail: string };

/** Thrown inside the body; `governed()` turns it into the run's outcome. */
export class RunEnded extends Error {
  constructor(readonly ending: Ending) {
    super(ending.detail);
    this.name = 'RunEnded';
  }
}

/** The outcome that a final denial means, by its gravest reason. */
export function endingOf(reasons: readonly Reason[], atStart: boolean): Ending {
  const detail = reasons.map((reason) => reason.text).join('; ');
  const has = (code: Reason['code']): boolean => reasons.some((reason) => reason.code === code);
  if (atStart) return { outcome: 'denied', detail };
  if (has('limit_wall_time')) return { outcome: 'expired', detail };
  if (has('budget_exceeded') || has('overrun') || has('no_price')) return { outcome: 'budget_stopped', detail };
  return { outcome: 'policy_stopped', detail };
}
