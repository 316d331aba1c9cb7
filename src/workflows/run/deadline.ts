/**
 * Handles `finalize_run` and the deadline. Signals come in any form and number and none may fail its handler: the
 * handler queues them, and one loop asks the deciding power about all of them. After the deadline the run's end is
 * forced, and before it too for an actor who may; otherwise the signal is noted once.
 */
import { CancellationScope, condition, isCancellation, log, sleep } from '@temporalio/workflow';
import type { DueAnswer } from '../../domain/protocol/decide.js';
import { messageDigest, readMessage, type Message } from '../../domain/protocol/message.js';
import { noteRefused, takeEffect } from '../messages/act.js';
import type { GovernedRun } from './governed-state.js';
import { decide, decideWithin } from '../activity-proxies.js';
import type { FinalizeRun } from '../messages/messages.js';
import { isRefusedHistory } from './refused-history.js';
import { otherwiseMeant } from '../messages/validators.js';

const UNANSWERED_MS = 5_000;

/** @returns the signal's handler; it hears before the run is open, and asks when it is */
export function nudges(run: () => GovernedRun | null): (said: unknown) => void {
  const heard = new Set<string>();
  let acts: readonly Message[] = [];
  let waits = false;
  let asking = false;

  const askAll = async (): Promise<void> => {
    await condition(() => run() !== null);
    const open = run();
    while (open !== null && !open.closing && (waits || acts.length > 0)) {
      const [act, ...rest] = acts;
      acts = rest;
      if (act !== undefined) await open.mutex.runExclusiveForMessage(() => finalizeBy(open, act));
      else {
        waits = false;
        await open.mutex.runExclusiveForMessage(() => forceIfDue(open));
      }
    }
  };
  return (said) => {
    const act = actIn(said);
    const id = act === null ? null : messageDigest(act.updateId);
    if (act !== null && id !== null && !heard.has(id)) {
      heard.add(id);
      acts = [...acts, act];
    }
    waits = true;
    if (asking) return;
    asking = true;
    void CancellationScope.nonCancellable(askAll)
      .catch((error: unknown) => {
        refusedOrLogged(run(), error);
      })
      .finally(() => {
        asking = false;
      });
  };
}

/** Null for what carries no act; what is none, or says that it is for something else, is as if it carried none. */
function actIn(said: unknown): Message | null {
  const { actor, updateId, reason } = (said ?? {}) as Partial<Record<keyof FinalizeRun, unknown>>;
  if (typeof actor !== 'object' || actor === null || !('assertion' in actor)) return null;
  const read = readMessage('finalize', updateId, { actor, ...(reason === undefined ? {} : { reason }) });
  return read.ok && otherwiseMeant(read.message) === null ? read.message : null;
}

async function finalizeBy(run: GovernedRun, act: Message): Promise<void> {
  if (run.closing) return;
  const { updateId } = act;
  const answer = await decide['decide.act']({ run: run.run, ...act });
  if (answer.allowed) takeEffect(run, { verb: 'finalize', updateId, actor: answer.actor });
  else noteRefused(run, 'finalize', updateId, answer);
}

async function forceIfDue(run: GovernedRun): Promise<void> {
  const answer = await isDue(run);
  if (answer === null) return;
  if (answer.due) run.end({ outcome: 'forced', detail: 'finalize_run after the deadline' });
  else
    run.trace.note('message.refused', 'finalize_run.early', {
      verb: 'finalize',
      actor: '',
      reason: 'it is before the deadline',
    });
}

/** Thrown further it would fail the workflow, or its task again and again; the close meets the same refusal and leaves. */
export function refusedOrLogged(run: GovernedRun | null, error: unknown): void {
  if (isRefusedHistory(error)) run?.end({ outcome: 'forced', detail: 'another execution is the history of this run' });
  else if (!isCancellation(error))
    log.warn('a message could not be answered', { error: error instanceof Error ? error.message : 'unknown' });
}

/**
 * The run's own timer; set again when a hold ended, since the deadline may then be nearer. That it fired is a question to
 * the database, whose time alone counts; where that is not answered, the time that passed here has to do.
 */
export async function watchDeadline(run: GovernedRun): Promise<void> {
  for (;;) {
    const moves = run.deadlineMoved;
    const moved = await condition(() => run.deadlineMoved !== moves, Math.max(run.deadlineInMs, 1));
    if (moved) continue;
    const asked = run.mutex.runExclusive(() => isDue(run));
    const answer = await Promise.race([asked, sleep(UNANSWERED_MS).then(() => null)]);
    if (answer === null || answer.due) {
      run.end({ outcome: 'expired', detail: 'the run reached its deadline' });
      return;
    }
    run.deadlineInMs = answer.remainingMs;
  }
}

/** Null where nobody answers in time: the close waits for its turn, and must not wait for this. */
async function isDue(run: GovernedRun): Promise<DueAnswer | null> {
  if (run.closing) return null;
  try {
    return await decideWithin(UNANSWERED_MS)['decide.isDue']({ run: run.run });
  } catch (error) {
    if (isRefusedHistory(error) || isCancellation(error)) throw error;
    return null;
  }
}
