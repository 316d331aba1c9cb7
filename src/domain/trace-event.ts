/** The kinds of trace events. docs/trace.md has the same table; a test keeps the two equal. */
import type { JsonObject } from './json.js';

export const TRACE_KINDS = {
  'run.created': 'the run exists; spec and contract digests',
  'run.authorized': 'the run.start decision allowed it',
  'run.prepared': 'what the first context is named by; it is stored at the latest by the first model call',
  'step.decided': 'an intent was answered; effect, reasons, digests',
  'step.executed': 'an attempt came back; status, result digest, usage',
  'call.refused':
    'a call that a model asked for was refused before a decision; skill, code, digest of what was said of it',
  'hold.opened': 'a step, or by hand the run, is held; step, attempt, reason, authority, until, action',
  'hold.warned': 'the hold ends in 5 minutes, or less; authority, until',
  'hold.resolved': 'the hold ended; how',
  'approval.given': 'an actor approved or rejected',
  'actor.acted': 'an actor did something else to the run: the verb says what',
  'budget.raised': 'an actor raised the cap of a budget; which, from what to what',
  'message.refused': 'an actor asked for something it may not do',
  'phase.changed': 'the lifecycle moved',
  'run.closing': 'last event; outcome, length, calls refused before a decision',
} as const;
export type TraceKind = keyof typeof TRACE_KINDS;

/** `id` is deterministic (`3.1.decided`, `hold.2.opened`): appending it again is a no-op. Content by digest only. */
export type TraceEvent = { readonly id: string; readonly kind: TraceKind; readonly body: JsonObject };
