/**
 * Recognizes the refusal that says that another execution is the run's history: this one was reset, or woke up after a
 * repair. It must leave at once and close nothing: evaluation, incident and trace belong to the other execution.
 */
import { ActivityFailure, ApplicationFailure } from '@temporalio/workflow';

export function isRefusedHistory(error: unknown): boolean {
  const cause = error instanceof ActivityFailure ? error.cause : error;
  return cause instanceof ApplicationFailure && cause.type === 'not_this_history';
}
