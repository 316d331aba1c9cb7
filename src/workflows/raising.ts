/**
 * `raise_budget` inside the workflow: refused where it is malformed, decided by `decide.access`, noted. A hold for BUDGET that
 * it resolves is told so, and the step that waits there asks again.
 */
import { ApplicationFailure, currentUpdateInfo } from '@temporalio/workflow';
import { parseRaise, raiseDigest, type BudgetRaise } from '../domain/protocol/raise.js';
import type { GovernedRun } from './governed-state.js';
import { decide } from './hands.js';
import type { RaiseBudget, Raised } from './messages.js';

/** For the validator: what is malformed leaves no history. @throws ApplicationFailure usage */
export function raiseIn(input: RaiseBudget): BudgetRaise {
  const parsed = parseRaise(input);
  if (!parsed.ok) throw ApplicationFailure.nonRetryable(parsed.problem, 'usage');
  return parsed.raise;
}

export async function raised(run: GovernedRun, input: RaiseBudget): Promise<Raised> {
  if (run.closing) throw ApplicationFailure.nonRetryable('the run admits nothing more', 'run_closed');
  const raise = raiseIn(input);
  const { scope, subject, unit, window, from, to } = raise;
  const updateId = currentUpdateInfo()?.id ?? `raise_budget-${run.steps}`;
  const answer = await decide['decide.access']({
    run: run.run,
    verb: 'raise_budget',
    updateId,
    claim: input.actor,
    digest: raiseDigest(raise),
    raise,
  });
  const { actor } = answer;
  const event = `act.${updateId}`;
  if (!answer.allowed) {
    run.trace.note('message.refused', event, { verb: 'raise_budget', actor, reason: answer.reason.text });
    throw ApplicationFailure.nonRetryable(answer.reason.text, 'actor_refused');
  }
  const hold = answer.hold ?? 0;
  run.trace.note('budget.raised', event, { actor, hold, scope, subject, unit, window, from, to });
  if (scope === 'run' && unit === 'usd_micros') run.capMicros = to;
  if (answer.hold !== undefined) run.holding.answered(answer.hold, answer.given, answer.resolution);
  if (answer.runDeadlineInMs !== undefined) run.deadlineIs(answer.runDeadlineInMs);
  run.refresh();
  return {
    actor,
    cap: to,
    ...(answer.hold === undefined ? {} : { hold: answer.hold }),
    ...(answer.resolution === undefined ? {} : { resolution: answer.resolution }),
  };
}
