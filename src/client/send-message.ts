/**
 * Sends a message to a run: as an update, or by the workflow `administer` when Temporal accepts no more updates for
 * that run. The message and the action that is signed are the same either way, and a message sent twice counts once.
 */
import { isGrpcServiceError, type Client, type WorkflowHandle } from '@temporalio/client';
import { ask } from './administer.js';
import { RokError } from '../domain/errors.js';
import type { ActorVerb } from '../domain/protocol/decide.js';
import { hasEnded, toRokError } from '../platform/temporal/temporal-failure.js';
import type { ActorResponse } from '../workflows/messages/messages.js';

/** @throws RokError with the refusal's code where it was refused */
export async function say(
  client: Client,
  handle: WorkflowHandle,
  verb: ActorVerb,
  message: object,
  updateId: string,
): Promise<ActorResponse> {
  try {
    return await handle.executeUpdate<ActorResponse, [object]>(verb, { args: [message], updateId });
  } catch (error) {
    if (!takesNoMore(error)) throw await toldApart(toRokError(error, handle.workflowId), handle);
    return sayBeside(client, handle.workflowId, verb, message, updateId);
  }
}

/**
 * Temporal answers NOT_FOUND for a run that it does not have, and also for an update that was lost because its run ended
 * first: then the run is there, and closed.
 */
async function toldApart(error: unknown, handle: WorkflowHandle): Promise<unknown> {
  if (!(error instanceof RokError && error.code === 'run_unknown')) return error;
  try {
    const { status } = await handle.describe();
    return status.name === 'RUNNING'
      ? new RokError('still_open', `\`${handle.workflowId}\` lost the message`, 'send it again')
      : hasEnded(handle.workflowId);
  } catch (why) {
    // No run, or no answer: which of the two matters to whoever asked.
    return toRokError(why, handle.workflowId);
  }
}

/** 2,000 of one execution, unless Temporal is configured otherwise; gRPC: RESOURCE_EXHAUSTED or FAILED_PRECONDITION. */
export function takesNoMore(error: unknown): boolean {
  for (let at: unknown = error; at instanceof Error; at = at.cause)
    if (isGrpcServiceError(at)) {
      const code: number = at.code;
      return (code === 8 || code === 9) && /limit on the total number of/i.test(at.details);
    }
  return false;
}

export async function sayBeside(
  client: Client,
  workflowId: string,
  verb: ActorVerb,
  said: object,
  updateId: string,
): Promise<ActorResponse> {
  const asked = await ask(client, { ask: 'steer', run: workflowId, verb, updateId, said });
  if (asked.ask !== 'steer') throw new Error('another question was answered');
  const { answer } = asked;
  if (!answer.allowed)
    throw new RokError('actor_refused', answer.reason.text, 'ask somebody who may: the refusal names what is needed');
  const { actor, holds, resolution, given, quorum } = answer;
  return {
    actor,
    ...(holds === undefined ? {} : { holds }),
    ...(resolution === undefined ? {} : { resolution }),
    ...(given === undefined ? {} : { given }),
    ...(quorum === undefined ? {} : { quorum }),
  };
}
