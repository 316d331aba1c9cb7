/**
 * Turns an error from Temporal into one of the error table: gone, closed, refused by the run, or not reached. Every
 * other error passes through unchanged: an unknown error is a bug and should look like one.
 */
import {
  isGrpcServiceError,
  WorkflowNotFoundError,
  WorkflowUpdateFailedError,
  WorkflowUpdateRPCTimeoutOrCancelledError,
} from '@temporalio/client';
import { ApplicationFailure } from '@temporalio/common';
import { ERRORS, RokError, type ErrorCode } from '../../domain/errors.js';
import { StartError } from '../start-error.js';

/** gRPC: DEADLINE_EXCEEDED, UNAVAILABLE; NOT_FOUND. */
const AWAY = [4, 14];
const GONE = 5;
/** The type of Temporal's failure for an update that was accepted and not completed when its workflow ended. */
const ENDED_FIRST = 'AcceptedUpdateCompletedWorkflow';

export function toRokError(error: unknown, workflowId: string): unknown {
  if (error instanceof RokError) return error;
  if (error instanceof WorkflowUpdateFailedError) return fromFailure(error.cause ?? error, workflowId);
  if (error instanceof WorkflowUpdateRPCTimeoutOrCancelledError)
    return new RokError(
      'still_open',
      `\`${workflowId}\` did not answer in time`,
      'see that a control worker runs, and ask again',
    );
  if (error instanceof WorkflowNotFoundError) return gone(error.message, workflowId);
  if (isGrpcServiceError(error)) {
    const code: number = error.code;
    if (code === GONE) return gone(error.details, workflowId);
    if (AWAY.includes(code))
      return new RokError(
        'temporal_unreachable',
        `Temporal does not answer (${error.details})`,
        'start it, or set `TEMPORAL_ADDRESS` to where it runs',
      );
  }
  return fromFailure(error, workflowId);
}

function gone(said: string, workflowId: string): RokError {
  return /already completed/i.test(said)
    ? hasEnded(workflowId)
    : new RokError('run_unknown', `no run \`${workflowId}\``, 'list them with `rok run list`');
}

export const hasEnded = (workflowId: string): RokError =>
  new RokError('run_closed', `run \`${workflowId}\` has ended`, 'see how with `rok run show`');

/** The run's own refusals carry their code as the failure's type. */
function fromFailure(error: unknown, workflowId: string): unknown {
  if (!(error instanceof ApplicationFailure)) return error;
  const code = error.type ?? '';
  if (code === ENDED_FIRST) return hasEnded(workflowId);
  if (!(code in ERRORS)) return error;
  return new RokError(code as ErrorCode, error.message, HINTS[code as ErrorCode]);
}

const HINTS: Partial<Record<ErrorCode, string>> = {
  actor_refused: 'ask somebody who may: the refusal names what is needed',
  run_closed: 'see how it ends with `rok run show`',
  hold_unknown: 'see what is pending with `rok approval list`',
};

/** Why a process could not start, for callers who act on codes. */
export function fromStartError(error: unknown): unknown {
  if (!(error instanceof StartError)) return error;
  const code: ErrorCode =
    error.exitCode !== 9
      ? 'config_invalid'
      : error.code.startsWith('postgres')
        ? 'postgres_unreachable'
        : 'temporal_unreachable';
  return new RokError(code, error.message, error.hint);
}
