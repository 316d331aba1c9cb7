/**
 * Steps of several runs that come while others are being decided share a transaction: one lock pass over the accounts, one
 * statement for the ledger, one for the decisions, one commit. Each is decided with the ledger's answer foretold, so nothing is
 * waited for in between. What is not plain (a run that somebody else has, a repeat, a refusal, a hold, a rate limit, a grant
 * that is cut, a warning) is decided by itself, asking and waiting; both ways give the same decision.
 */
import { inGroups } from '../domain/grouping.js';
import { uuidOf, type Digest } from '../domain/ids.js';
import type { StepAnswer, StepRequest } from '../domain/protocol/decide.js';
import type { Database, Sql } from '../domain/sql.js';
import type { Caller } from './caller.js';
import type { Foreseen } from './cedar.js';
import type { Deciders } from './deciders.js';
import { writeDecisions } from './decision-row.js';
import { foretellTogether, isWorthForetelling, type ReserveAsk } from './ledger.js';
import { lockFreeRow, lockFreeRows, type RunRow } from './run-row.js';
import { readStepFacts, type StepFacts } from './step-facts.js';
import { told } from './step.js';
import {
  admits,
  decisionOf,
  foresee,
  needsWarrant,
  overNow,
  questionOf,
  soundAction,
  weigh,
  type Weighed,
} from './weighing.js';

/**
 * One transaction carries this many at most, and one is under way: more would be smaller, and wait for each other's accounts.
 * One that is stuck holds up the next for a moment only, and is given up before the activity is that asked for it (3 s).
 */
export const STEP_GROUPS = { groups: 1, items: 16, late: { afterMs: 250, atMost: 4 }, deadlineMs: 2_500 } as const;

export type AskedStep = { readonly caller: Caller; readonly request: StepRequest };
/** Null: it has to be decided by itself. */
export type DecideInGroup = (step: AskedStep) => Promise<StepAnswer | null>;

export function openStepGroups(database: Database, deciders: Deciders): DecideInGroup {
  const inGroup = inGroups<AskedStep, StepAnswer | null>(
    { ...STEP_GROUPS, keyOf: ({ request }) => request.run },
    async (steps, signal) => {
      try {
        return await database.transaction((sql) => decideTogether(sql, deciders, steps), { signal });
      } catch {
        // Nothing of it was kept. Whose fault it was shows when each is decided by itself.
        return steps.map(() => null);
      }
    },
  );
  // Only calls ask the ledger.
  return (step) => (needsWarrant(step.request.intent) ? inGroup(step) : Promise.resolve(null));
}

type Plain = {
  readonly step: AskedStep;
  readonly deciders: Deciders;
  readonly row: RunRow;
  readonly facts: StepFacts;
  readonly weighed: Weighed & { readonly ask: ReserveAsk };
};

/** In the order of `steps`. */
export async function decideTogether(
  sql: Sql,
  given: Deciders,
  steps: readonly AskedStep[],
): Promise<readonly (StepAnswer | null)[]> {
  const [only] = steps;
  const plain =
    only !== undefined && steps.length === 1
      ? await readAlone(sql, given, only)
      : await readTogether(sql, given, steps);
  const answers = plain.length === 0 ? new Map<AskedStep, StepAnswer>() : write(sql, plain);
  return steps.map((step) => answers.get(step) ?? null);
}

/**
 * A step that comes alone, which is nearly always the case. What its statements wait for is made use of: the lock is had while
 * the digests are made that the facts are asked with, and policies are asked while the facts are read, where they ask for none
 * of them.
 */
async function readAlone(sql: Sql, given: Deciders, step: AskedStep): Promise<readonly Plain[]> {
  const { request, caller } = step;
  const { intent, run } = request;
  // Sent one after the other without waiting, and run in order: the facts are read after the lock is held.
  const locking = lockFreeRow(sql, run, intent.kind === 'skill.call' ? intent.argumentsDigest : null);
  const action = actionOrNull(request);
  const reading =
    action === null ? null : readStepFacts(sql, run, { ...questionOf(request, action), argumentsDigest: null });
  // Who fails first is told of; the other is not waited for.
  reading?.catch(() => undefined);
  const row = await locking;
  if (reading === null || action === null || row?.temporal_run_id !== caller.temporalRunId) return [];
  const deciders = await rulesFor(sql, given, row);
  const { arguments: args } = row;
  const foreseen = foresee(deciders, request, row, { arguments: args });
  const facts = { ...(await reading), arguments: args };
  const weighed = weighPlain(deciders, request, action, row, facts, foreseen);
  return weighed === null ? [] : [{ step, deciders, row, facts, weighed }];
}

async function readTogether(sql: Sql, given: Deciders, steps: readonly AskedStep[]): Promise<readonly Plain[]> {
  const sound = steps.flatMap((step) => {
    const action = actionOrNull(step.request);
    return action === null ? [] : [{ step, action }];
  });
  const runs = sound.map(({ step }) => step.request.run);
  // Sent together, and run in order: the facts are read after the locks are held.
  const [rows, facts] = await Promise.all([
    lockFreeRows(sql, runs),
    Promise.all(
      sound.map(({ step, action }) => readStepFacts(sql, step.request.run, questionOf(step.request, action))),
    ),
  ]);
  const plain: Plain[] = [];
  for (const [at, { step, action }] of sound.entries()) {
    const row = rows.find((one) => one.run_id === uuidOf(step.request.run));
    const read = facts[at];
    if (row === undefined || read === undefined || row.temporal_run_id !== step.caller.temporalRunId) continue;
    const deciders = await rulesFor(sql, given, row);
    const weighed = weighPlain(deciders, step.request, action, row, read, null);
    if (weighed !== null) plain.push({ step, deciders, row, facts: read, weighed });
  }
  return plain;
}

const rulesFor = async (sql: Sql, given: Deciders, row: RunRow): Promise<Deciders> => ({
  ...given,
  ...(await given.sets.of(sql, row.policy_set)),
});

function actionOrNull(request: StepRequest): Digest | null {
  try {
    return soundAction(request);
  } catch {
    return null;
  }
}

function weighPlain(
  deciders: Deciders,
  request: StepRequest,
  action: Digest,
  row: RunRow,
  facts: StepFacts,
  foreseen: Foreseen | null,
): Plain['weighed'] | null {
  if (facts.existing !== null || facts.rates !== null || !admits(row.phase, request.intent)) return null;
  const over = overNow(facts.open, request);
  // Would have to be fenced first.
  if (over.some((warrant) => warrant.state === 'redeemed' && warrant.result === null)) return null;
  // Would have to be read first.
  const prices = deciders.tables.atHand(over);
  if (prices === null) return null;
  const { ask, ...weighed } = weigh(deciders, request, action, row, facts, { warrants: over, prices }, foreseen);
  if (ask?.enforced !== true || !isWorthForetelling(weighed.before.budget, ask)) return null;
  return { ...weighed, ask };
}

/** Sent, not waited for: the commit says whether it held. */
function write(sql: Sql, plain: readonly Plain[]): ReadonlyMap<AskedStep, StepAnswer> {
  const ledgers = foretellTogether(
    sql,
    plain.map(({ step, weighed }) => ({ run: step.request.run, settlements: weighed.settlements, ask: weighed.ask })),
  );
  const decided = plain.map(({ step, deciders, row, weighed }, at) => {
    const ledger = ledgers[at] ?? null;
    const answer = deciders.checker.checkLedger(step.request.intent, weighed.before, ledger, null);
    const snapshot = { ...weighed.before, ledger, rates: null };
    return decisionOf(deciders, step.request, weighed, row, answer, snapshot);
  });
  const written = writeDecisions(sql, decided);
  const answers = new Map<AskedStep, StepAnswer>();
  for (const [at, { step, row, facts }] of plain.entries()) {
    const decision = decided[at];
    const digests = written[at];
    if (decision === undefined || digests === undefined) throw new Error('a step of the group has no decision');
    const { answer, actionDigest } = decision;
    answers.set(step, told(answer.ruling, actionDigest, digests, answer, null, row, facts));
  }
  return answers;
}
