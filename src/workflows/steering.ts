/** Listens while a run is open: the deadline, the sweep's nudge, and actors. Handlers run one at a time. */
import {
  allHandlersFinished,
  ApplicationFailure,
  CancellationScope,
  condition,
  currentUpdateInfo,
  isCancellation,
  setHandler,
  sleep,
} from '@temporalio/workflow';
import type { AccessAnswer, AccessRequest, ActorVerb, NudgeAnswer } from '../domain/protocol/decide.js';
import type { GovernedRun } from './governed-state.js';
import { decide, decideWithin } from './hands.js';
import {
  approveUpdate,
  cancelUpdate,
  contractQuery,
  finalizeRunSignal,
  killUpdate,
  pauseUpdate,
  raiseBudgetUpdate,
  rejectUpdate,
  resumeUpdate,
  statusQuery,
  traceHeadQuery,
  type Answer,
  type FinalizeRun,
  type RaiseBudget,
  type RunStatus,
  type Steer,
  type Steered,
} from './messages.js';
import { raised, raiseIn } from './raising.js';
import { isRefusedHistory } from './refused-history.js';

const HANDLERS_MS = 5_000;
const UNANSWERED_MS = 5_000;

/** Before the run is open it can be asked, but not steered: signals and updates wait for their handlers. */
export function answerQueries(run: () => GovernedRun | null): void {
  setHandler(statusQuery, () => run()?.status ?? NOT_OPEN);
  setHandler(traceHeadQuery, () => run()?.trace.head ?? { length: 0, hash: null });
  setHandler(contractQuery, () => {
    const opened = run()?.opened;
    if (opened === undefined) return null;
    const { contractDigest: digest, runDeadline, finalizeDue, expiresAt } = opened;
    return { digest, runDeadline, finalizeDue, expiresAt };
  });
}

const NOT_OPEN: RunStatus = {
  run: null,
  phase: 'CREATED',
  outcome: null,
  verdict: null,
  step: 0,
  spentMicros: '0',
  capMicros: '0',
  hold: null,
};

/** @returns stops listening; waits a moment for handlers still at work */
export function listen(run: GovernedRun): () => Promise<void> {
  const heard = new Set<string>();
  setHandler(finalizeRunSignal, (said) =>
    CancellationScope.nonCancellable(() => run.turn.take(() => nudged(run, said, heard))),
  );

  const steer = (verb: ActorVerb) => (input: Steer | Answer) =>
    CancellationScope.nonCancellable(() => run.turn.take(() => steered(run, verb, input)));
  const open = {
    validator: (input: Steer) => {
      mustBeOpen(run, input);
    },
  };
  const held = {
    validator: (input: Answer) => {
      mustBeHeld(run, input);
    },
  };
  setHandler(pauseUpdate, steer('pause'), open);
  setHandler(cancelUpdate, steer('cancel'), open);
  setHandler(killUpdate, steer('kill'), open);
  setHandler(resumeUpdate, steer('resume'), {
    validator: (input: Steer) => {
      mustBeOpen(run, input);
      mustBePaused(run);
    },
  });
  setHandler(approveUpdate, steer('approve'), held);
  setHandler(rejectUpdate, steer('reject'), held);
  const raise = (input: RaiseBudget) => CancellationScope.nonCancellable(() => run.turn.take(() => raised(run, input)));
  setHandler(raiseBudgetUpdate, raise, {
    validator: (input: RaiseBudget) => {
      mustBeOpen(run, input);
      raiseIn(input);
    },
  });

  const watch = new CancellationScope();
  const watching = watch.run(() => watchDeadline(run));
  watching.catch((error: unknown) => {
    // Thrown here it would fail this task again and again; the close meets the same refusal and leaves.
    if (isRefusedHistory(error)) run.end({ outcome: 'forced', detail: 'another execution is the history of this run' });
    else if (!isCancellation(error)) throw error;
  });
  return async () => {
    watch.cancel();
    await condition(allHandlersFinished, HANDLERS_MS);
  };
}

/**
 * The run's own timer; set again when a hold ended, since the deadline may then be nearer. That it fired is a question to
 * the database, whose time alone counts; where that is not answered, the time that passed here has to do.
 */
async function watchDeadline(run: GovernedRun): Promise<void> {
  for (;;) {
    const moves = run.deadlineMoved;
    const moved = await condition(() => run.deadlineMoved !== moves, Math.max(run.deadlineInMs, 1));
    if (moved) continue;
    const asked = run.turn.take(() => isDue(run));
    const answer = await Promise.race([asked, sleep(UNANSWERED_MS).then(() => null)]);
    if (answer === null || answer.due) {
      run.end({ outcome: 'expired', detail: 'the run reached its deadline' });
      return;
    }
    run.deadlineInMs = answer.remainingMs;
  }
}

/** Null where nobody answers in time: the close waits for its turn, and must not wait for this. */
async function isDue(run: GovernedRun): Promise<NudgeAnswer | null> {
  if (run.closing) return null;
  try {
    return await decideWithin(UNANSWERED_MS)['decide.nudge']({ run: run.run });
  } catch (error) {
    if (isRefusedHistory(error) || isCancellation(error)) throw error;
    return null;
  }
}

/**
 * `finalize_run`: past the deadline it forces the end, and so it does before for an actor who may; else it is noted, once.
 *
 * @param heard trace events that signals made: no event is noted twice
 */
async function nudged(run: GovernedRun, said: unknown, heard: Set<string>): Promise<void> {
  if (run.closing) return;
  const asked = assertedIn(said);
  const event = asked === null ? 'finalize_run.early' : `finalize_run.act.${asked.updateId}`;
  const first = !heard.has(event);
  if (asked !== null && first) {
    heard.add(event);
    const answer = await decide['decide.access']({ run: run.run, verb: 'finalize', ...asked });
    noteAct(run, 'finalize', event, answer);
    if (answer.allowed) {
      run.end({ outcome: 'forced', detail: `finalize_run by ${answer.actor}` });
      return;
    }
  }
  const answer = await isDue(run);
  if (answer === null) return;
  if (answer.due) run.end({ outcome: 'forced', detail: 'finalize_run after the deadline' });
  else if (asked === null && first) {
    heard.add(event);
    run.trace.note('message.refused', event, { verb: 'finalize', actor: '', reason: 'it is before the deadline' });
  }
}

/** A signal comes as it is, and none may fail its handler: what is not an assertion for an act is as if there were none. */
function assertedIn(said: unknown): Pick<AccessRequest, 'updateId' | 'claim' | 'reason'> | null {
  const { actor, updateId, reason } = (said ?? {}) as Partial<Record<keyof FinalizeRun, unknown>>;
  const { assertion } = (actor ?? {}) as { readonly assertion?: unknown };
  if (typeof assertion !== 'string' || typeof updateId !== 'string') return null;
  if (updateId === '' || updateId.length > 256) return null;
  return { updateId, claim: { assertion }, ...(typeof reason === 'string' ? { reason: reason.slice(0, 2000) } : {}) };
}

function noteAct(run: GovernedRun, verb: ActorVerb, event: string, answer: AccessAnswer, hold = 0): void {
  const { actor } = answer;
  if (answer.allowed) run.trace.note('approval.given', event, { verb, actor, hold });
  else run.trace.note('message.refused', event, { verb, actor, reason: answer.reason.text });
}

async function steered(run: GovernedRun, verb: ActorVerb, input: Steer | Answer): Promise<Steered> {
  if (run.closing) throw ApplicationFailure.nonRetryable('the run admits nothing more', 'run_closed');
  const updateId = currentUpdateInfo()?.id ?? `${verb}-${run.steps}`;
  const hold = 'hold' in input ? input.hold : verb === 'resume' ? run.holding.current?.hold : undefined;
  const answer = await decide['decide.access']({
    run: run.run,
    verb,
    updateId,
    claim: input.actor,
    ...(hold === undefined ? {} : { hold }),
    ...('digest' in input ? { digest: input.digest } : {}),
    ...(input.reason === undefined ? {} : { reason: input.reason.slice(0, 2000) }),
  });
  noteAct(run, verb, `act.${updateId}`, answer, hold);
  if (!answer.allowed) throw ApplicationFailure.nonRetryable(answer.reason.text, 'actor_refused');
  if (hold !== undefined) run.holding.answered(hold, answer.given, answer.resolution);
  if (answer.runDeadlineInMs !== undefined) run.deadlineIs(answer.runDeadlineInMs);
  if (verb === 'pause') run.pauseAsked = answer.actor;
  if (verb === 'cancel') run.end({ outcome: 'cancelled', detail: `cancelled by ${answer.actor}` });
  if (verb === 'kill') run.end({ outcome: 'killed', detail: `killed by ${answer.actor}` });
  run.refresh();
  return {
    actor: answer.actor,
    ...(hold === undefined ? {} : { hold }),
    ...(answer.resolution === undefined ? {} : { resolution: answer.resolution }),
    ...(answer.given === undefined ? {} : { given: answer.given }),
    ...(answer.quorum === undefined ? {} : { quorum: answer.quorum }),
  };
}

const no = (message: string): never => {
  throw ApplicationFailure.nonRetryable(message, 'hold_unknown');
};

/** Validators refuse without writing history; they only see what the workflow knows, so the decision is made again later. */
function mustBeOpen(run: GovernedRun, input: Steer): void {
  if (run.closing || run.ending !== null) no('the run admits nothing more');
  const actor: unknown = (input as Partial<Steer> | undefined)?.actor;
  if (typeof actor !== 'object' || actor === null || !('assertion' in actor || 'local' in actor))
    no('an actor is needed: { assertion } or { local, roles? }');
  const reason: unknown = input.reason;
  // A handler that throws on a wrong type would fail its workflow task again and again.
  if (reason !== undefined && typeof reason !== 'string') no('a reason is text');
}
function mustBePaused(run: GovernedRun): void {
  if (run.holding.current === null) no('the run is not paused');
}
function mustBeHeld(run: GovernedRun, input: Answer): void {
  mustBeOpen(run, input);
  const { current } = run.holding;
  if (current === null || current.hold !== input.hold) no(`no pending hold ${input.hold}`);
  else if (current.digest !== input.digest) no('the digest is not of the action that is held');
}
