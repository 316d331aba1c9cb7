/**
 * A workflow that carries one request which concerns no single run to the deciding power, and returns the answer. An
 * assertion for an administrative act names this workflow's id as its audience; one for an act on a run names the run's
 * id, whichever workflow carries it. It decides nothing, and is no governed run: it has no steps.
 */
import { getExternalWorkflowHandle, log } from '@temporalio/workflow';
import type { Administered, Administration } from '../domain/protocol/administer.js';
import { administering } from './activity-proxies.js';
import { lookSignal } from './messages/messages.js';

/** Workflow type `administer`; id `rok-admin/<uuid>`. */
export async function administer(request: Administration): Promise<Administered> {
  const answer = await administering['decide.administer'](request);
  if (answer.ask === 'steer' && answer.answer.allowed) await tell(answer.workflowId);
  return answer;
}

/** A run that cannot be told looks by itself while it is held. */
async function tell(workflowId: string): Promise<void> {
  try {
    await getExternalWorkflowHandle(workflowId).signal(lookSignal);
  } catch (error) {
    log.warn('the run was not told to look', { workflowId, error: error instanceof Error ? error.message : 'unknown' });
  }
}
