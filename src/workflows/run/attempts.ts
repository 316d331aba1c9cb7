/**
 * Runs one step to its end: every attempt has a decision of its own. An attempt that failed for a passing reason, or an
 * unknown one that may be repeated, is asked for again a few times; an unknown one that may not be repeated waits for
 * an operator.
 */
import { ActivityFailure, isCancellation, sleep, TimeoutFailure } from '@temporalio/workflow';
import type { ContextRef } from '../../domain/context.js';
import type { Reason } from '../../domain/decision.js';
import type { ErrorCode } from '../../domain/errors.js';
import type { Digest } from '../../domain/ids.js';
import type { SaidFate } from '../../domain/protocol/decide.js';
import type { FirstInput, ModelAnswer, StepResult } from '../../domain/protocol/execute.js';
import { stepResultOf } from '../../domain/protocol/step-result.js';
import { RunEnded } from './ending.js';
import type { Draft, GovernedRun, Permit } from './governed-state.js';
import { executeStep } from '../activity-proxies.js';

export type Done =
  | { readonly status: 'succeeded'; readonly contentDigest: Digest; readonly model?: ModelAnswer }
  | { readonly status: 'denied'; readonly reasons: readonly Reason[] }
  | { readonly status: 'failed'; readonly code: ErrorCode }
  /** Nobody heard whether it was done; what an operator who looked says of it, where one did. */
  | { readonly status: 'unknown'; readonly said: SaidFate | null };

export type Task = {
  readonly step: number;
  readonly turn: number;
  readonly draft: Draft;
  readonly context?: ContextRef;
  /** For the first call: what its conversation begins with. */
  readonly first?: FirstInput;
  /** Whether a call whose fate is unknown may be tried again. */
  readonly repeatable: boolean;
  /** When the trace has a decision. */
  readonly onNoted?: () => void;
  /** When there is a decision that does not end the run: also where it holds the step. */
  readonly onDecided?: () => void;
};

const MAX_TRIES = 4;
const PAUSE_MS = 250;
/** Worth another decision: certainly nothing was done, and the next try may fare better. */
const AGAIN: readonly ErrorCode[] = [
  'provider_rate_limited',
  'provider_unreachable',
  'never_started',
  'warrant_refused',
];

export async function attemptUntilDone(run: GovernedRun, task: Task): Promise<Done> {
  let attempt = 1;
  for (let tries = 1; ; tries += 1) {
    const permitted = await run.permit({
      draft: task.draft,
      step: task.step,
      attempt,
      turn: task.turn,
      ...(task.context === undefined ? {} : { context: task.context }),
      ...(task.onNoted === undefined ? {} : { onNoted: task.onNoted }),
      ...(task.onDecided === undefined ? {} : { onDecided: task.onDecided }),
    });
    if (!permitted.allowed) return { status: 'denied', reasons: permitted.reasons };
    const { intent } = permitted.permit;
    const { result, model, ...rest } = await execute(run, permitted.permit, task);
    run.executed(intent, { result, ...rest });
    if (result.status === 'succeeded')
      return { status: 'succeeded', contentDigest: result.contentDigest, ...(model === undefined ? {} : { model }) };
    if (result.status === 'failed' && !AGAIN.includes(result.code)) return { status: 'failed', code: result.code };
    if (result.status === 'unknown' && !task.repeatable) {
      const { step, attempt: at } = intent;
      const hold = await run.holding.holdFor(
        { step, attempt: at, reason: 'UNKNOWN_RESULT', by: 'kernel' },
        `${intent.target} may or may not have been done: ${result.cause}`,
      );
      return { status: 'unknown', said: run.fates.get(hold) ?? null };
    }
    if (tries >= MAX_TRIES)
      throw new RunEnded({ outcome: 'failed', detail: `step ${task.step} did not succeed in ${MAX_TRIES} attempts` });
    await sleep(result.status === 'failed' ? (result.retryAfterMs ?? PAUSE_MS * tries) : PAUSE_MS);
    attempt = intent.attempt + 1;
  }
}

/** Somebody answered who is no execute worker of ours, or of another version: what became of the call, nobody here knows. */
const UNREADABLE: StepResult = {
  result: { status: 'unknown', cause: 'the answer of the executors is not of the form that it must have' },
  resultDigest: null,
};

async function execute(run: GovernedRun, permit: Permit, { context, first }: Task): Promise<StepResult> {
  const { intent, actionDigest, grant } = permit;
  const { opened } = run;
  try {
    const answer: unknown = await executeStep(`${intent.step}.${intent.attempt} ${intent.kind} ${intent.target}`)[
      'execute.step'
    ]({
      run: run.run,
      tenant: opened.tenant,
      agent: opened.agent,
      agentDigest: opened.agentDigest ?? ('' as Digest),
      intent,
      actionDigest,
      grant,
      ...(context === undefined ? {} : { context }),
      ...(first === undefined ? {} : { first }),
    });
    const read = stepResultOf(answer);
    const lacksItsModel =
      intent.kind === 'model.call' && read?.result.status === 'succeeded' && read.model === undefined;
    return read === null || lacksItsModel ? UNREADABLE : read;
  } catch (error) {
    if (isCancellation(error) || !(error instanceof ActivityFailure)) throw error;
    // The attempt's rows say what really happened; this is only what the workflow can know.
    if (error.cause instanceof TimeoutFailure && error.cause.timeoutType === 'SCHEDULE_TO_START')
      return { result: { status: 'failed', code: 'never_started' }, resultDigest: null };
    return {
      result: {
        status: 'unknown',
        cause: error.cause instanceof TimeoutFailure ? 'the worker went away' : 'the step failed',
      },
      resultDigest: null,
    };
  }
}
