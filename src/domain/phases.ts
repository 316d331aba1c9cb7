/**
 * The run's lifecycle as one total function. The database independently refuses an impossible (phase, outcome) pair and
 * an impossible change of phase.
 */
import { assertNever } from './assert-never.js';

export const PHASES = ['CREATED', 'AUTHORIZED', 'EXECUTING', 'FINALIZING', 'COMPLETED', 'FAILED'] as const;
export type Phase = (typeof PHASES)[number];

export const OUTCOMES = [
  'succeeded',
  'denied',
  'failed',
  'policy_stopped',
  'budget_stopped',
  'cancelled',
  'killed',
  'expired',
  'forced',
] as const;
export type Outcome = (typeof OUTCOMES)[number];

export type LifecycleEvent =
  | { readonly type: 'authorize' }
  | { readonly type: 'execute' }
  | { readonly type: 'latch'; readonly outcome: Outcome }
  | { readonly type: 'finalize' };

export type State = { readonly phase: Phase; readonly outcome: Outcome | null };
export type TransitionError =
  'already_authorized' | 'not_authorized' | 'already_executing' | 'already_latched' | 'not_latched' | 'already_final';
export type Transition =
  { readonly ok: true; readonly state: State } | { readonly ok: false; readonly error: TransitionError };

const to = (phase: Phase, outcome: Outcome | null): Transition => ({ ok: true, state: { phase, outcome } });
const refuse = (error: TransitionError): Transition => ({ ok: false, error });

export const isTerminal = (phase: Phase): phase is 'COMPLETED' | 'FAILED' =>
  phase === 'COMPLETED' || phase === 'FAILED';
export const isFailure = (outcome: Outcome): boolean => outcome !== 'succeeded';

/** Total: every (state, event) pair has an answer, and each illegal one a named error. */
export function transition(state: State, event: LifecycleEvent): Transition {
  if (isTerminal(state.phase)) return refuse('already_final');
  switch (event.type) {
    case 'authorize':
      return state.phase === 'CREATED' ? to('AUTHORIZED', null) : refuse('already_authorized');
    case 'execute':
      if (state.phase === 'CREATED') return refuse('not_authorized');
      return state.phase === 'AUTHORIZED'
        ? to('EXECUTING', null)
        : refuse(state.phase === 'EXECUTING' ? 'already_executing' : 'already_latched');
    case 'latch':
      return state.phase === 'FINALIZING' ? refuse('already_latched') : to('FINALIZING', event.outcome);
    case 'finalize':
      if (state.phase !== 'FINALIZING' || state.outcome === null) return refuse('not_latched');
      return to(state.outcome === 'succeeded' ? 'COMPLETED' : 'FAILED', state.outcome);
    default:
      return assertNever(event);
  }
}
