/**
 * Tells that another execution is the history of the run: this one (a reset, or one that woke up after a repair) is refused
 * for good. It must then leave at once, and close nothing: evaluation, incident and trace are the other history's to write.
 */
import { ActivityFailure, ApplicationFailure } from '@temporalio/workflow';

export function isRefusedHistory(error: unknown): boolean {
  const cause = error instanceof ActivityFailure ? error.cause : error;
  return cause instanceof ApplicationFailure && cause.type === 'not_this_history';
}
