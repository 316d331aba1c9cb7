/**
 * Sends a request that concerns no single run to the deciding power, by a workflow of its own, and waits for the
 * answer. Decides nothing.
 */
import { randomUUID } from 'node:crypto';
import { WorkflowFailedError, type Client } from '@temporalio/client';
import type { Administered, Administration } from '../domain/protocol/administer.js';
import { toRokError } from '../platform/temporal/temporal-failure.js';
import { within } from './with-timeout.js';

const ANSWERED_WITHIN_MS = 30_000;

export const newAskingId = (): string => `rok-admin/${randomUUID()}`;

/** @throws RokError still_open when no control worker answers in time */
export async function ask(
  temporal: Client,
  request: Administration,
  workflowId = newAskingId(),
): Promise<Administered> {
  const answering: Promise<unknown> = temporal.workflow
    .execute('administer', {
      taskQueue: 'rok-control',
      workflowId,
      workflowIdReusePolicy: 'REJECT_DUPLICATE',
      args: [request],
      staticSummary: request.ask === 'act' ? request.act.verb : request.ask,
    })
    .catch((error: unknown) => {
      throw toRokError(error instanceof WorkflowFailedError ? innermost(error) : error, workflowId);
    });
  const answer = await within(answering, ANSWERED_WITHIN_MS, `\`${workflowId}\``, 'see that a control worker runs');
  return answer as Administered;
}

/** The failure that was first, under those that wrapped it. */
function innermost(error: Error): unknown {
  let found: unknown = error;
  while (found instanceof Error && found.cause instanceof Error) found = found.cause;
  return found;
}
