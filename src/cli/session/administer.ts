/**
 * Sends an administrative request to the deciding power by a workflow of its own, and waits for the answer. An
 * assertion made elsewhere names that workflow as its audience, so the workflow's id is taken from the assertion.
 */
import { decodeJwt } from 'jose';
import { ask as askDeciders, newAskingId } from '../../client/administer.js';
import { RokError } from '../../domain/errors.js';
import {
  actDigest,
  type Acted,
  type AdminAct,
  type Administered,
  type Administration,
} from '../../domain/protocol/administer.js';
import { actorOf, type ActorOptions } from './actor.js';
import type { Session } from './session.js';

/** @throws RokError with the refusal's code where the act was refused */
export async function doAct(
  session: Session,
  act: AdminAct,
  options: ActorOptions,
): Promise<Extract<Acted, { allowed: true }>> {
  const { actor } = actorOf(options, session.env);
  const workflowId = 'assertion' in actor ? audienceOf(actor.assertion) : newAskingId();
  const claim =
    typeof actor === 'function'
      ? await actor({ workflowId, verb: act.verb, updateId: '', digest: actDigest(act) })
      : actor;
  const answer = await ask(session, { ask: 'act', act, claim }, workflowId);
  if (answer.ask !== 'act') throw new Error('another question was answered');
  if (!answer.allowed) throw new RokError(answer.code, answer.reason, HINTS[answer.code]);
  return answer;
}

const HINTS = {
  actor_refused: 'ask somebody who may: the refusal names what is needed',
  policy_invalid: 'correct the set; `rok policy lint` shows the same before it is published',
  policy_test_failed: 'correct the policy or its test; `rok policy test` shows the same before it is published',
} as const;

export const ask = async (session: Session, request: Administration, workflowId?: string): Promise<Administered> =>
  askDeciders((await session.client()).temporal, request, workflowId);

function audienceOf(assertion: string): string {
  try {
    const { aud } = decodeJwt(assertion);
    if (typeof aud === 'string' && aud.startsWith('rok-admin/')) return aud;
  } catch {
    // Said below: neither is one for this.
  }
  throw new RokError(
    'assertion_invalid',
    'the assertion is for no administrative act',
    'its audience is `rok-admin/<any id>`, its action the digest that `--purpose` prints',
  );
}
