/**
 * The activities of the executing power: remote, on task queue `rok-execute`. Thin on purpose: the work is in
 * src/execute.
 */
import { ApplicationFailure, Context } from '@temporalio/activity';
import { RokError } from '../domain/errors.js';
import type { RunId } from '../domain/ids.js';
import type { ExecuteActivities } from '../domain/protocol/execute.js';
import { closeOut } from '../execute/close/close-out.js';
import type { ExecuteDeps, InFlight } from '../execute/deps.js';
import { requireHistory } from '../execute/close/history.js';
import { begin, record } from '../execute/calls/own-step.js';
import { prepare, tell } from '../execute/content/prepare.js';
import { runStep } from '../execute/run-runner.js';

const HEARTBEAT_MS = 1_000;

export type ExecuteActivityDeps = ExecuteDeps & {
  /** The activity that is running now; Temporal's own, unless a test has no Temporal. */
  readonly inFlight?: () => InFlight;
  /** What is measured of executing; recording neither throws nor waits. */
  readonly measure?: { attempted(what: { readonly kind: string; readonly result: string }): void };
};

export function createExecuteActivities(deps: ExecuteActivityDeps): ExecuteActivities {
  const current = deps.inFlight ?? ofTemporal;
  const ofItsRun = <T>({ run }: { readonly run: RunId }, work: () => Promise<T>): Promise<T> =>
    told(async () => {
      await requireHistory(deps.database, run, Context.current().info.workflowExecution?.runId);
      return work();
    });
  return {
    'execute.prepare': (input) => told(() => prepare(deps, input)),
    'execute.step': async (input) => {
      const answer = await beating(current(), (inFlight) => runStep(deps, input, inFlight));
      // Without a digest no warrant was redeemed, so there was no attempt.
      if (answer.resultDigest !== null)
        deps.measure?.attempted({ kind: input.intent.kind, result: answer.result.status });
      return answer;
    },
    'execute.tell': (input) => told(() => tell(deps, input)),
    'execute.begin': (input) => ofItsRun(input, () => begin(deps, input)),
    'execute.record': (input) => ofItsRun(input, () => record(deps, input)),
    'execute.close_out': (input) => ofItsRun(input, () => closeOut(deps, input)),
  };
}

function ofTemporal(): InFlight {
  const context = Context.current();
  return {
    signal: context.cancellationSignal,
    heartbeat: () => {
      context.heartbeat();
    },
  };
}

/** Heartbeats are how Temporal tells a call in flight to stop, and how it learns that this worker died. */
async function beating<T>(inFlight: InFlight, work: (inFlight: InFlight) => Promise<T>): Promise<T> {
  // Not at once: most steps end before the first beat, and each beat is a request that the completion has to wait for.
  const beat = setInterval(() => {
    inFlight.heartbeat();
  }, HEARTBEAT_MS);
  try {
    return await work(inFlight);
  } finally {
    clearInterval(beat);
  }
}

/** A coded error will be the same next time, so Temporal is told not to try again; a database that is away is tried again. */
async function told<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof RokError)) throw error;
    throw ApplicationFailure.nonRetryable(error.message, error.code);
  }
}
