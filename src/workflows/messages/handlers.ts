/**
 * Registers the message handlers of a run from its first moment; a message that arrives before the run is open waits
 * for it. Handlers run one at a time (activity-mutex.ts). A message that a validator refuses (validators.ts) leaves no
 * history.
 */
import { allHandlersFinished, CancellationScope, condition, isCancellation, setHandler } from '@temporalio/workflow';
import type { ActorVerb } from '../../domain/protocol/decide.js';
import { acted } from './act.js';
import type { GovernedRun } from '../run/governed-state.js';
import { lookBeside } from './acts-beside-run.js';
import {
  approveUpdate,
  cancelUpdate,
  contractQuery,
  finalizeRunSignal,
  killUpdate,
  lookSignal,
  pauseUpdate,
  raiseBudgetUpdate,
  rejectUpdate,
  resumeUpdate,
  statusQuery,
  traceHeadQuery,
  type RaiseBudget,
  type Raised,
  type RunStatus,
  type ActorResponse,
} from './messages.js';
import { nudges, refusedOrLogged, watchDeadline } from '../run/deadline.js';
import { validate } from './validators.js';

const HANDLERS_MS = 5_000;

/** What the run hears while it is opened is done when it is. */
export type Listening = {
  /** To be called when the run is open. @returns stops listening; waits a moment for handlers still at work */
  opened(run: GovernedRun): () => Promise<void>;
};

export function listen(): Listening {
  let known: GovernedRun | null = null;
  const run = (): GovernedRun | null => known;
  answerQueries(run);
  takeUpdates(run);
  const looking = lookBeside();
  setHandler(lookSignal, looking.ask);
  setHandler(finalizeRunSignal, nudges(run));
  return {
    opened(open) {
      known = open;
      const watch = new CancellationScope();
      for (const watched of [watchDeadline, looking.look])
        watch
          .run(() => watched(open))
          .catch((error: unknown) => {
            if (!isCancellation(error)) refusedOrLogged(open, error);
          });
      return async () => {
        watch.cancel();
        await condition(allHandlersFinished, HANDLERS_MS);
      };
    },
  };
}

function answerQueries(run: () => GovernedRun | null): void {
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
  holds: [],
};

function takeUpdates(run: () => GovernedRun | null): void {
  const act =
    (verb: ActorVerb) =>
    (input: unknown): Promise<ActorResponse> =>
      CancellationScope.nonCancellable(async () => {
        await condition(() => run() !== null);
        const open = run();
        if (open === null) throw new Error('the run that was waited for is not open');
        return open.mutex.runExclusiveForMessage(() => acted(open, verb, input));
      });
  const valid = (verb: ActorVerb) => ({
    validator: (input: unknown) => {
      validate(run(), verb, input);
    },
  });
  setHandler(pauseUpdate, act('pause'), valid('pause'));
  setHandler(resumeUpdate, act('resume'), valid('resume'));
  setHandler(cancelUpdate, act('cancel'), valid('cancel'));
  setHandler(killUpdate, act('kill'), valid('kill'));
  setHandler(approveUpdate, act('approve'), valid('approve'));
  setHandler(rejectUpdate, act('reject'), valid('reject'));
  const raise = async (input: RaiseBudget): Promise<Raised> => {
    const { actor, holds = [] } = await act('raise_budget')(input);
    return { actor, cap: input.to, holds };
  };
  setHandler(raiseBudgetUpdate, raise, valid('raise_budget'));
}
