/** The exit codes, what each means, and which one a run's end gives. Errors have theirs in domain/errors. */
import { isTerminal } from '../../domain/phases.js';
import type { RunView } from '../../reader/read.js';

export const EXIT_CODES = {
  0: 'ok',
  1: 'failed',
  2: 'usage: the command or what it was given was not understood',
  3: 'not found',
  4: 'not allowed',
  5: 'the run ended other than succeeded',
  6: 'evidence bad: INCOMPLETE, STALE, verification failed, or the ledger drifts (before 5, where both hold)',
  7: 'decisions changed, or a policy test failed',
  8: 'still open at the timeout',
  9: 'Temporal or PostgreSQL cannot be reached',
  130: 'Ctrl-C: what was started goes on',
} as const;
export type ExitCode = keyof typeof EXIT_CODES;

export function exitCodeOf(view: Pick<RunView, 'phase' | 'outcome' | 'verdict'>): ExitCode {
  if (!isTerminal(view.phase)) return 8;
  if (view.verdict === 'INCOMPLETE' || view.verdict === 'STALE') return 6;
  return view.outcome === 'succeeded' ? 0 : 5;
}
