/** Runs that are started one by one while the harm is done: half of them with five steps and a slow HTTP model, half with one. */
import { setTimeout as sleep } from 'node:timers/promises';
import { CONVERSATION } from '../test/faults/deployment.js';
import type { FaultRig } from '../test/faults/rig.js';
import type { Random } from './random.js';

export const TENANT = 'chaos';
const MODEL_MS = 1_200;

/** The clerk's conversation, slow enough that something is always in flight. */
export const SLOW_CONVERSATION = CONVERSATION.map((answer) => ({ ...answer, delayMs: MODEL_MS }));

/** @returns the workflow ids that Temporal accepted, one every `everyMs` in the mean */
export async function startLoad(
  rig: FaultRig,
  random: Random,
  { runs, everyMs }: { readonly runs: number; readonly everyMs: number },
): Promise<readonly string[]> {
  const accepted: string[] = [];
  const beganMs = Date.now();
  for (let n = 1; n <= runs; n += 1) {
    const agent = random.chance(0.5) ? 'clerk' : 'greeter';
    const workflowId = `rok/${TENANT}/${n}`;
    await rig.start(workflowId, { tenant: TENANT, agent });
    accepted.push(workflowId);
    await sleep(Math.max(0, beganMs + n * everyMs * random.between(0.9, 1.1) - Date.now()));
  }
  return accepted;
}
