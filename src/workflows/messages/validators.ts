/**
 * Update validators: they refuse, without history, a malformed message, an assertion that itself names another purpose,
 * and an act that is impossible in the run's present state. They see only what the workflow knows, so the decision is
 * made again later. They throw refusals only: any other error would refuse too, with a text that no caller understands.
 */
import { ApplicationFailure, currentUpdateInfo, workflowInfo } from '@temporalio/workflow';
import { notFor } from '../../domain/assertion-claims.js';
import type { ErrorCode } from '../../domain/errors.js';
import type { ActorVerb } from '../../domain/protocol/decide.js';
import { actionOf, readMessage, type Message } from '../../domain/protocol/message.js';
import type { GovernedRun } from '../run/governed-state.js';

export const refuse = (code: ErrorCode, message: string): ApplicationFailure =>
  ApplicationFailure.nonRetryable(message, code);

/** Of this very update. @throws ApplicationFailure message_invalid for what is no message of that verb */
export function messageIn(verb: ActorVerb, value: unknown): Message {
  const read = readMessage(verb, currentUpdateInfo()?.id, value);
  if (!read.ok) throw refuse('message_invalid', read.problem);
  return read.message;
}

/** @param run null before it is open: then only the form counts, and the message waits */
export function validate(run: GovernedRun | null, verb: ActorVerb, value: unknown): void {
  const message = messageIn(verb, value);
  const wrong = otherwiseMeant(message);
  if (wrong !== null) throw refuse('assertion_invalid', wrong);
  if (run === null) return;
  if (run.closing || run.ending !== null) throw refuse('run_closed', 'the run admits nothing more');
  if (verb === 'resume' && run.holding.open.length === 0) throw refuse('hold_unknown', 'the run is not paused');
  if (verb === 'approve' || verb === 'reject') mustBeHeld(run, message);
}

/** Null for what may be meant for this; read, not verified. */
export function otherwiseMeant(message: Message): string | null {
  const { verb, updateId, claim } = message;
  if (!('assertion' in claim)) return null;
  const action = actionOf(message);
  return notFor(claim.assertion, {
    workflowId: workflowInfo().workflowId,
    verb,
    updateId,
    ...(action === undefined ? {} : { digest: action }),
    nowMs: Date.now(),
  });
}

function mustBeHeld(run: GovernedRun, { hold, digest }: Message): void {
  const held = hold === undefined ? undefined : run.holding.find(hold);
  if (held === undefined) throw refuse('hold_unknown', `no pending hold ${hold ?? ''}`);
  if (held.digest !== digest) throw refuse('hold_unknown', 'the digest is not of the action that is held');
}
