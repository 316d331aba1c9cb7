/**
 * Governs a workflow: opens its contract, decides before each step, and finalizes on every way out. `governedRun` is written
 * on it, and so can be anybody's own workflow. It decides nothing, executes nothing and prices nothing itself.
 *
 * Invariant: once the run is open, every way out of `governed()` passes through `closeRun`, which ends in `decide.finalize`.
 */
import { CancellationScope, isCancellation, workflowInfo } from '@temporalio/workflow';
import { decide } from './activity-proxies.js';
import { closeRun } from './run/close-run.js';
import { endingOf, RunEnded, type Ending } from './run/ending.js';
import { GovernedRun } from './run/governed-state.js';
import type { RunResult } from './messages/messages.js';
import { sendable } from './messages/sendable.js';
import { listen } from './messages/handlers.js';
import { showOpened } from './run/temporal-display.js';

export type { GovernedRun } from './run/governed-state.js';
export { ownStep, StepDenied, type OwnStep } from './own-step.js';

/**
 * @param spec a RunSpec; anything else is a run that is denied with every problem listed
 * @param body the steps; what it returns is the final answer's digest, or null
 * @returns how the run ended; it does not throw for a run that failed in an orderly way
 */
export async function governed(
  spec: unknown,
  body: (run: GovernedRun) => Promise<RunResult['answer']>,
): Promise<RunResult> {
  const listening = listen();
  const continuedFrom = workflowInfo().continuedFromExecutionRunId;
  const opened = await CancellationScope.nonCancellable(() =>
    decide['decide.open']({ spec: sendable(spec), ...(continuedFrom === undefined ? {} : { continuedFrom }) }),
  );
  const run = new GovernedRun(opened);
  showOpened(opened);
  const stop = listening.opened(run);
  let answer: RunResult['answer'] = null;
  let ending: Ending;
  try {
    run.begin();
    answer = await run.scope.run(async () => {
      await authorizeStart(run);
      return body(run);
    });
    ending = { outcome: 'succeeded', detail: '' };
  } catch (error) {
    ending = endingFrom(error, run);
  }
  return CancellationScope.nonCancellable(async () => {
    run.scope.cancel();
    const result = await closeRun(run, run.ending ?? ending, answer);
    await stop();
    return result;
  });
}

async function authorizeStart(run: GovernedRun): Promise<void> {
  const { ruling } = run.opened;
  if (ruling.effect === 'deny') throw new RunEnded(endingOf(ruling.reasons, true));
  if (ruling.effect === 'pause') await run.startAfterHold(ruling);
}

function endingFrom(error: unknown, run: GovernedRun): Ending {
  if (run.ending !== null) return run.ending;
  if (error instanceof RunEnded) return error.ending;
  if (isCancellation(error)) return { outcome: 'cancelled', detail: 'the workflow was cancelled' };
  return { outcome: 'failed', detail: error instanceof Error ? error.message.slice(0, 500) : 'the run failed' };
}
