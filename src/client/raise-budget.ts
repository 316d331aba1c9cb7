/** Sends `raise_budget`. An assertion for it is bound to the digest of the whole raise, so it is good for no other. */
import { randomUUID } from 'node:crypto';
import type { Client, WorkflowHandle } from '@temporalio/client';
import { claimOf, type Act } from './actor-claims.js';
import { RokError } from '../domain/errors.js';
import { parseRaise, raiseDigest, type BudgetRaise } from '../domain/protocol/raise.js';
import { say } from './send-message.js';
import type { Raised, RaiseBudget } from '../workflows/messages/messages.js';

export type RaiseAct = BudgetRaise & Omit<Act, 'reason'>;

/** @throws RokError usage for a raise that is none, actor_refused where it was refused */
export async function sendRaise(client: Client, handle: WorkflowHandle, act: RaiseAct): Promise<Raised> {
  const parsed = parseRaise(act);
  if (!parsed.ok) throw new RokError('usage', parsed.problem, 'see the caps as they are with `rok budget show`');
  const { workflowId } = handle;
  const updateId = act.updateId ?? randomUUID();
  const digest = raiseDigest(parsed.raise);
  const actor = await claimOf(act.actor, { workflowId, verb: 'raise_budget', updateId, digest });
  const message: RaiseBudget = { ...parsed.raise, actor };
  const { actor: by, holds = [] } = await say(client, handle, 'raise_budget', message, updateId);
  return { actor: by, cap: parsed.raise.to, holds };
}
