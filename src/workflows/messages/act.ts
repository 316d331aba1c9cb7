/**
 * Does an act inside the workflow: `decide.act` decides it, the trace records it, and it changes the run. The same for
 * an update, a signal, and an act beside the run.
 */
import { ActivityFailure, ApplicationFailure } from '@temporalio/workflow';
import { ERRORS, type ErrorCode } from '../../domain/errors.js';
import type { ActAnswer, ActorVerb, Fate, HoldResolution } from '../../domain/protocol/decide.js';
import { messageDigest } from '../../domain/protocol/message.js';
import type { BudgetRaise } from '../../domain/protocol/raise.js';
import type { GovernedRun } from '../run/governed-state.js';
import { decide } from '../activity-proxies.js';
import type { HoldStatus, ActorResponse } from './messages.js';
import { messageIn, refuse } from './validators.js';

/** What an allowed act means to the run. */
export type Act = {
  readonly verb: ActorVerb;
  readonly updateId: string;
  readonly actor: string;
  readonly hold?: number | undefined;
  /** Of a raise: those that waited for just that budget. */
  readonly holds?: readonly number[] | undefined;
  readonly given?: number | undefined;
  readonly resolution?: HoldResolution | undefined;
  readonly was?: Fate | undefined;
  readonly raise?: BudgetRaise | undefined;
};

/** Whatever the message's id is made of, the event has a name. */
export const actEvent = (updateId: string): string => `act.${messageDigest(updateId)}`;

export async function acted(run: GovernedRun, verb: ActorVerb, value: unknown): Promise<ActorResponse> {
  if (run.closing) throw refuse('run_closed', 'the run admits nothing more');
  const message = messageIn(verb, value);
  const { updateId, raise, was } = message;
  const hold = message.hold ?? (verb === 'resume' ? resumable(run)?.hold : undefined);
  const answer = await asked(() =>
    decide['decide.act']({ run: run.run, ...message, ...(hold === undefined ? {} : { hold }) }),
  );
  if (!answer.allowed) {
    noteRefused(run, verb, updateId, answer);
    throw refuse('actor_refused', answer.reason.text);
  }
  const { actor, holds, given, resolution, quorum } = answer;
  takeEffect(run, { verb, updateId, actor, hold, holds, given, resolution, was, raise }, answer.runDeadlineInMs);
  return {
    actor,
    ...(hold === undefined ? {} : { hold }),
    ...(holds === undefined ? {} : { holds }),
    ...(resolution === undefined ? {} : { resolution }),
    ...(given === undefined ? {} : { given }),
    ...(quorum === undefined ? {} : { quorum }),
  };
}

/** What a resume that names no hold means: a pause before anything else, or what is there to be refused. */
const resumable = ({ holding: { open } }: GovernedRun): HoldStatus | undefined =>
  open.find(({ reason }) => reason === 'MANUAL') ?? open.find(({ digest }) => digest === null) ?? open[0];

/** An error of the activity as the refusal that it is: what the database or the deciders will not take ends no run. */
async function asked(work: () => Promise<ActAnswer>): Promise<ActAnswer> {
  try {
    return await work();
  } catch (error) {
    const cause = error instanceof ActivityFailure ? error.cause : error;
    if (!(cause instanceof ApplicationFailure)) throw error;
    const code = cause.type ?? '';
    throw refuse(code in ERRORS ? (code as ErrorCode) : 'message_invalid', cause.message);
  }
}

/** Where it was kept in full; else it was counted. */
export function noteRefused(
  run: GovernedRun,
  verb: ActorVerb,
  updateId: string,
  { actor, reason, counted }: Extract<ActAnswer, { allowed: false }>,
): void {
  if (counted) return;
  run.trace.note('message.refused', actEvent(updateId), { verb, actor, reason: reason.text });
}

/** @param deadlineInMs where the act moved it */
export function takeEffect(run: GovernedRun, act: Act, deadlineInMs?: number): void {
  const { verb, actor, hold = 0, holds = [], was, raise } = act;
  const event = actEvent(act.updateId);
  if (raise === undefined)
    run.trace.note(verb === 'approve' || verb === 'reject' ? 'approval.given' : 'actor.acted', event, {
      verb,
      actor,
      hold,
      ...(was === undefined ? {} : { was }),
    });
  else {
    const { scope, subject, unit, window, from, to } = raise;
    run.trace.note('budget.raised', event, { actor, holds, scope, subject, unit, window, from, to });
    if (scope === 'run' && unit === 'usd_micros') run.capMicros = to;
  }
  if (was !== undefined) run.fates.set(hold, { was, by: actor });
  for (const each of act.hold === undefined ? holds : [act.hold]) run.holding.answered(each, act.given, act.resolution);
  if (deadlineInMs !== undefined) run.deadlineIs(deadlineInMs);
  if (verb === 'pause') run.holding.pauseBy(actor);
  if (verb === 'cancel') run.end({ outcome: 'cancelled', detail: `cancelled by ${actor}` });
  if (verb === 'kill') run.end({ outcome: 'killed', detail: `killed by ${actor}` });
  if (verb === 'finalize') run.end({ outcome: 'forced', detail: `finalize_run by ${actor}` });
  run.refresh();
}
