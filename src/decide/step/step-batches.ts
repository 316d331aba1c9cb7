/**
 * The common path of a step: one to sixteen steps of different runs share one transaction, one pass of locks over the
 * accounts, one statement for the ledger, one for the decisions and one commit. Each step is decided as if the ledger
 * grants all that it asks for, so nothing waits in between; if the ledger grants less, the transaction fails. Every
 * other case (a locked run, a repeat, a refusal, a hold, a rate limit, a reduced grant, a warning) is decided by
 * step.ts. Both paths give the same decision.
 */
import { createBatcher } from '../../domain/batching.js';
import { RokError } from '../../domain/errors.js';
import { uuidOf, type Digest, type RunId } from '../../domain/ids.js';
import type { StepAnswer, StepRequest } from '../../domain/protocol/decide.js';
import type { Database, Sql } from '../../domain/sql.js';
import type { Caller } from '../actors/caller.js';
import { writeDecisions } from '../rows/decision-row.js';
import type { DecideDeps } from '../deps.js';
import {
  admits,
  decisionOf,
  evaluateStep,
  needsWarrant,
  overNow,
  questionOf,
  soundAction,
  warm,
  type EvaluatedStep,
  type StepAtHand,
} from './evaluate-step.js';
import { canPayInFull, reserveInFull, type ReserveAsk } from '../ledger/ledger.js';
import type { DecideLog } from '../log.js';
import { lockFreeRow, lockFreeRows } from '../rows/run-row.js';
import { readStepFacts, type StepFacts, type StepQuestion } from './step-facts.js';
import { stepAnswer } from './step.js';

/**
 * One transaction carries this many at most, and one is under way: more would be smaller, and wait for each other's accounts.
 * One that is stuck holds up the next for a moment only, and is given up before the activity is that asked for it (3 s).
 */
export const STEP_BATCHES = { batches: 1, items: 16, late: { afterMs: 250, atMost: 4 }, deadlineMs: 2_500 } as const;

export type AskedStep = { readonly caller: Caller; readonly request: StepRequest };
/** Null: it has to be decided by itself. */
export type DecideInBatch = (step: AskedStep) => Promise<StepAnswer | null>;

/** Runs that are remembered to be decided by themselves. */
const MAX_SUSPECTS = 1_000;

/**
 * Where the ledger does not grant a batch in full, or an account is locked for too long, each step is decided by itself. Any
 * other failure is logged and raised to all of the batch; when they ask again, each is decided by itself, so that no step
 * fails with another's error twice.
 */
export function openStepBatches(database: Database, deps: DecideDeps, log: DecideLog): DecideInBatch {
  const suspects = new Set<RunId>();
  const inBatch = createBatcher<AskedStep, StepAnswer | null>(
    { ...STEP_BATCHES, keyOf: ({ request }) => request.run },
    async (steps, signal) => {
      try {
        return await database.transaction((sql) => decideInFull(sql, deps, steps), { signal });
      } catch (error) {
        if (isNotInFull(error)) return steps.map(() => null);
        const runs = steps.map(({ request }) => request.run);
        log.error({ ...failureOf(error), runs }, 'a batch of steps was not decided');
        if (suspects.size > MAX_SUSPECTS) suspects.clear();
        for (const run of runs) suspects.add(run);
        throw error;
      }
    },
  );
  // Only calls ask the ledger.
  return async (step) => {
    const { run, intent } = step.request;
    return needsWarrant(intent) && !suspects.delete(run) ? inBatch(step) : null;
  };
}

const NOT_IN_FULL = 'RK001';
const LOCK_NOT_AVAILABLE = '55P03';
const codeOf = (error: unknown): unknown => (error instanceof Error && 'code' in error ? error.code : undefined);
const isNotInFull = (error: unknown): boolean => [NOT_IN_FULL, LOCK_NOT_AVAILABLE].includes(String(codeOf(error)));

/** Of the database's errors the code alone: their texts may quote what was sent. */
function failureOf(error: unknown): object {
  const code = codeOf(error);
  return code === undefined ? { err: error } : { code };
}

type PlainStep = EvaluatedStep & { readonly ask: ReserveAsk };
type Plain = { readonly asked: AskedStep; readonly step: PlainStep };

/** In the order of `steps`. */
export async function decideInFull(
  sql: Sql,
  deps: DecideDeps,
  steps: readonly AskedStep[],
): Promise<readonly (StepAnswer | null)[]> {
  const [only] = steps;
  const plain =
    only !== undefined && steps.length === 1 ? await readOne(sql, deps, only) : await readSeveral(sql, deps, steps);
  const answers = plain.length === 0 ? new Map<AskedStep, StepAnswer>() : write(sql, deps, plain);
  return steps.map((step) => answers.get(step) ?? null);
}

/**
 * A lone step, which is nearly always the case. What its statements wait for is made use of: the lock is had while the digests
 * are made that the facts are asked with, and policies are asked while the facts are read, where they ask for none of them.
 */
async function readOne(sql: Sql, deps: DecideDeps, asked: AskedStep): Promise<readonly Plain[]> {
  const { request, caller } = asked;
  const { intent, run } = request;
  // Sent one after the other without waiting, and run in order: the facts are read after the lock is held.
  const locking = lockFreeRow(sql, run, intent.kind === 'skill.call' ? intent.argumentsDigest : null);
  const action = actionOrNull(request);
  const reading =
    action === null ? null : readFactsOrNull(sql, run, { ...questionOf(request, action), argumentsDigest: null });
  // Who fails first is told of; the other is not waited for.
  reading?.catch(() => undefined);
  const row = await locking;
  if (reading === null || action === null || row?.temporal_run_id !== caller.temporalRunId) return [];
  const rules = await deps.sets.of(sql, row.policy_set);
  warm(deps, { rules, request, action, row }, row.arguments);
  const facts = await reading;
  if (facts === null) return [];
  const step = evaluatePlain(deps, { rules, request, action, row, facts: { ...facts, arguments: row.arguments } });
  return step === null ? [] : [{ asked, step }];
}

async function readSeveral(sql: Sql, deps: DecideDeps, steps: readonly AskedStep[]): Promise<readonly Plain[]> {
  const sound = steps.flatMap((asked) => {
    const action = actionOrNull(asked.request);
    return action === null ? [] : [{ asked, action }];
  });
  const runs = sound.map(({ asked }) => asked.request.run);
  // Sent together, and run in order: the facts are read after the locks are held.
  const [rows, read] = await Promise.all([
    lockFreeRows(sql, runs),
    Promise.all(
      sound.map(({ asked: { request }, action }) => readFactsOrNull(sql, request.run, questionOf(request, action))),
    ),
  ]);
  const plain: Plain[] = [];
  for (const [at, { asked, action }] of sound.entries()) {
    const { request, caller } = asked;
    const row = rows.find((one) => one.run_id === uuidOf(request.run));
    const facts = read[at] ?? null;
    if (row === undefined || facts === null || row.temporal_run_id !== caller.temporalRunId) continue;
    const rules = await deps.sets.of(sql, row.policy_set);
    const step = evaluatePlain(deps, { rules, request, action, row, facts });
    if (step !== null) plain.push({ asked, step });
  }
  return plain;
}

/** Null: there is no such run, which its own asker is told. */
const readFactsOrNull = (sql: Sql, run: RunId, ask: StepQuestion): Promise<StepFacts | null> =>
  readStepFacts(sql, run, ask).catch((error: unknown) => {
    if (error instanceof RokError && error.code === 'run_unknown') return null;
    throw error;
  });

function actionOrNull(request: StepRequest): Digest | null {
  try {
    return soundAction(request);
  } catch {
    return null;
  }
}

function evaluatePlain(deps: DecideDeps, step: StepAtHand): PlainStep | null {
  const { request, row, facts } = step;
  if (facts.existing !== null || facts.rates !== null || !admits(row.phase, request.intent)) return null;
  const over = overNow(facts.open, request);
  // Would have to be fenced first.
  if (over.some((warrant) => warrant.state === 'redeemed' && warrant.result === null)) return null;
  // Would have to be read first.
  const prices = deps.tables.atHand(over);
  if (prices === null) return null;
  const { ask, ...evaluated } = evaluateStep(deps, step, { warrants: over, prices });
  if (ask?.enforced !== true || !canPayInFull(evaluated.before.budget, ask)) return null;
  return { ...evaluated, ask };
}

/** Sent, not waited for: the commit says whether it held. */
function write(sql: Sql, deps: DecideDeps, plain: readonly Plain[]): ReadonlyMap<AskedStep, StepAnswer> {
  const ledgers = reserveInFull(
    sql,
    plain.map(({ step: { request, settlements, ask } }) => ({ run: request.run, settlements, ask })),
  );
  const decided = plain.map(({ step }, at) => {
    const ledger = ledgers[at] ?? null;
    return decisionOf(deps, step, step.checked.conclude(ledger, null), { ...step.before, ledger, rates: null });
  });
  const written = writeDecisions(sql, decided);
  const answers = new Map<AskedStep, StepAnswer>();
  for (const [at, { asked, step }] of plain.entries()) {
    const decision = decided[at];
    const digests = written[at];
    if (decision === undefined || digests === undefined) throw new Error('a step of the batch has no decision');
    answers.set(asked, stepAnswer(step, decision.answer, digests, null));
  }
  return answers;
}
