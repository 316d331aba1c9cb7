/**
 * The activities of the deciding power. Each is one transaction under the lock on the run's row, and serves only the
 * execution that is the run's history.
 */
import { ApplicationFailure, Context } from '@temporalio/activity';
import { NotThisHistory } from '../decide/rows/run-row.js';
import { administer } from '../decide/actors/administer.js';
import { finalize, latch } from '../decide/lifecycle/close.js';
import type { Caller } from '../decide/actors/caller.js';
import type { DecideDeps } from '../decide/deps.js';
import { openRun } from '../decide/lifecycle/open.js';
import { identityOf, recordRefused, runKindOf } from '../decide/lifecycle/open-identity.js';
import { readOpened } from '../decide/lifecycle/opened.js';
import type { DecideLog } from '../decide/log.js';
import { repair } from '../decide/lifecycle/repair.js';
import { look } from '../decide/actors/acts-beside-run.js';
import { access, hold, nudge, resolve } from '../decide/actors/act.js';
import { decideStep } from '../decide/step/step.js';
import { openStepBatches } from '../decide/step/step-batches.js';
import { CanonicalJsonError } from '../domain/canonical-json.js';
import { RokError } from '../domain/errors.js';
import type { AdministerActivities } from '../domain/protocol/administer.js';
import type { DecideActivities } from '../domain/protocol/decide.js';
import type { Database, Sql } from '../domain/sql.js';
import { asRefusal, isRace } from './refused-data.js';

export type DecideActivityDeps = {
  readonly database: Database;
  readonly deps: DecideDeps;
  readonly log: DecideLog;
  readonly metrics?: DecideMeasure;
};

/** What is measured of deciding; recording neither throws nor waits. */
export type DecideMeasure = {
  runStarted(): void;
  runFinished(outcome: string): void;
  /** @param what.path granted in full, as nearly all are, or decided by itself */
  decided(what: {
    readonly effect: string;
    readonly kind: string;
    readonly path: 'in_full' | 'by_itself';
    readonly seconds: number;
  }): void;
  spent(micros: bigint): void;
};

export function createDecideActivities({
  database,
  deps,
  log,
  metrics,
}: DecideActivityDeps): DecideActivities & AdministerActivities {
  const act = async <T>(name: string, work: (sql: Sql, caller: Caller) => Promise<T>): Promise<T> => {
    const caller = currentCaller();
    const once = () =>
      database.transaction((sql) => work(sql, caller), { signal: Context.current().cancellationSignal });
    try {
      return await once().catch((error: unknown) => {
        if (isRace(error)) return once();
        throw error;
      });
    } catch (error) {
      if (error instanceof NotThisHistory) {
        await recordRefused(database, caller, error);
        throw ApplicationFailure.nonRetryable(error.message, error.code);
      }
      // No second try gives the same value another form.
      if (error instanceof CanonicalJsonError) throw ApplicationFailure.nonRetryable(error.message, 'usage');
      if (error instanceof RokError) throw ApplicationFailure.nonRetryable(error.message, error.code);
      throw asRefusal(error);
    }
  };
  const inBatch = openStepBatches(database, deps, log);
  return {
    'decide.open': async (input) => {
      const opened = await act('decide.open', async (sql, caller) => {
        const kind = runKindOf(Context.current().info.workflowType);
        const identity = identityOf(input.spec, caller, input.continuedFrom ?? null, kind);
        const request = { spec: input.spec, specText: JSON.stringify([input.spec]), identity };
        return readOpened(sql, await openRun(sql, deps, caller, request), deps.agents);
      });
      metrics?.runStarted();
      return opened;
    },
    'decide.step': async (request) => {
      const began = performance.now();
      const inFull = await inBatch({ caller: currentCaller(), request });
      const answer = inFull ?? (await act('decide.step', (sql, caller) => decideStep(sql, deps, caller, request)));
      const seconds = (performance.now() - began) / 1000;
      if (answer.kind === 'decided')
        metrics?.decided({
          effect: answer.ruling.effect,
          kind: request.intent.kind,
          path: inFull === null ? 'by_itself' : 'in_full',
          seconds,
        });
      return answer;
    },
    'decide.hold': (request) => act('decide.hold', (sql, caller) => hold(sql, caller, request)),
    'decide.resolve': (request) => act('decide.resolve', (sql, caller) => resolve(sql, caller, request)),
    'decide.act': (request) => act('decide.act', (sql, history) => access(sql, deps, { history }, request)),
    'decide.look': (request) => act('decide.look', (sql, caller) => look(sql, caller, request)),
    'decide.isDue': (request) => act('decide.isDue', (sql, caller) => nudge(sql, caller, request)),
    'decide.latch': (request) => act('decide.latch', (sql, caller) => latch(sql, deps, caller, request)),
    'decide.finalize': async (request) => {
      const final = await act('decide.finalize', (sql, caller) => finalize(sql, deps, caller, request));
      metrics?.runFinished(final.outcome);
      metrics?.spent(BigInt(final.spentMicros));
      return final;
    },
    'decide.administer': (request) =>
      act('decide.administer', (sql, caller) => administer(sql, deps, caller.workflowId, request)),
    'decide.repair': (request) => act('decide.repair', (sql, caller) => repair(sql, deps, caller, request)),
  };
}

function currentCaller(): Caller {
  const execution = Context.current().info.workflowExecution;
  if (execution === undefined) throw ApplicationFailure.nonRetryable('only a workflow may ask for a decision', 'usage');
  return { workflowId: execution.workflowId, temporalRunId: execution.runId };
}
