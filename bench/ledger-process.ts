/**
 * One of the four processes of bench/ledger.ts: whole steps, one after the other in each lane, until the time is over. A step
 * is what a run makes of the ledger: a transaction that locks the run, settles the last call, reserves the next and writes
 * the decision with its snapshot; then the executor redeems. Both as in the workers: what comes while a batch is in flight is the next.
 */
import { createHash, randomUUID } from 'node:crypto';
import { writeDecisions } from '../src/decide/rows/decision-row.js';
import { reserveInFull, type ReserveAsk, type Settlement } from '../src/decide/ledger/ledger.js';
import { lockFreeRows } from '../src/decide/rows/run-row.js';
import { STEP_BATCHES } from '../src/decide/step/step-batches.js';
import { createBatcher } from '../src/domain/batching.js';
import { iso, runIdOf, type Digest, type RunId } from '../src/domain/ids.js';
import { actionDigest, type Intent } from '../src/domain/intent.js';
import { openRedeems, type Redeem } from '../src/execute/calls/redeems.js';
import { openDatabase, type OpenDatabase } from '../src/platform/postgres/database.js';
import { modelCall, snapshotWith } from '../test/decide/snapshots.js';
import type { LoginUrls } from '../test/stack/databases.js';

export type LedgerJob = {
  readonly urls: LoginUrls;
  readonly runs: readonly string[];
  /** Not counted: sessions make their plans, the program is compiled. */
  readonly warmUpSeconds: number;
  readonly seconds: number;
};

/** Per login; a worker, too, has fewer connections than runs. */
const CONNECTIONS = 4;
export type LedgerDone = { readonly steps: number; readonly ms: readonly number[] };

const digestOf = (text: string): Digest => createHash('sha256').update(text).digest('hex') as Digest;

async function work({ urls, runs, warmUpSeconds, seconds }: LedgerJob): Promise<LedgerDone> {
  const [decide, execute] = await Promise.all([
    openDatabase(urls.decide, { login: 'decide', applicationName: 'bench', max: CONNECTIONS }),
    openDatabase(urls.execute, { login: 'execute', applicationName: 'bench', max: CONNECTIONS }),
  ]);
  const decided = openSteps(decide);
  const redeem = openRedeems(execute);
  const ms: number[] = [];
  const from = performance.now() + warmUpSeconds * 1000;
  const until = from + seconds * 1000;
  const lane = async (uuid: string): Promise<void> => {
    const run = runIdOf(uuid);
    let last: Settlement | null = null;
    for (let at = 1; performance.now() < until; at += 1) {
      const began = performance.now();
      const step = stepOf(run, at, last);
      await decided(step);
      await redeemed(redeem, step);
      if (began >= from) ms.push(performance.now() - began);
      last = settlementOf(at);
    }
  };
  await Promise.all(runs.map(lane));
  await Promise.all([decide.close(), execute.close()]);
  return { steps: ms.length, ms };
}

const settlementOf = (step: number): Settlement => ({
  step,
  attempt: 1,
  state: 'settled',
  micros: `${100 + (step % 50)}`,
  tokens: 100,
  calls: 1,
  output: 10,
  cost_usd: '0.0001',
});

type Step = {
  readonly run: RunId;
  readonly intent: Intent;
  readonly settlements: readonly Settlement[];
  readonly ask: ReserveAsk;
};

function stepOf(run: RunId, step: number, last: Settlement | null): Step {
  const intent: Intent = { ...modelCall, step, contextDigest: digestOf(`${run} ${step}`) };
  return {
    run,
    intent,
    settlements: last === null ? [] : [last],
    ask: {
      step,
      attempt: 1,
      turn: step,
      actionDigest: actionDigest(intent),
      notAfter: iso(new Date(Date.now() + 120_000).toISOString()),
      enforced: true,
      bound: { baseMicros: 100n, perToken: { num: 1n, den: 2n }, inputTokens: 100, priceKey: 'bench/model' },
      askedOutputTokens: 100,
    },
  };
}

/** As decide/step/step-batches.ts, but for the facts and the checks, which are not the ledger's. */
const openSteps = (decide: OpenDatabase): ((step: Step) => Promise<boolean>) =>
  createBatcher({ ...STEP_BATCHES, keyOf: ({ run }: Step) => run }, (steps) =>
    decide.transaction((sql) => {
      void lockFreeRows(
        sql,
        steps.map(({ run }) => run),
      );
      const ledgers = reserveInFull(sql, steps);
      writeDecisions(
        sql,
        steps.map(({ run, intent, ask }, at) => {
          const snapshot = snapshotWith({ ledger: ledgers[at] ?? null });
          return {
            run,
            intent,
            actionDigest: ask.actionDigest,
            snapshot,
            answer: {
              ruling: { effect: 'allow', grant: { notAfter: ask.notAfter, model: intent.target, outputTokens: 100 } },
              determining: [],
              errors: [],
              notices: [],
            },
            policySetDigest: digestOf('policies'),
            priceTableDigest: digestOf('prices'),
            counters: snapshot.counters,
            phase: 'EXECUTING',
          };
        }),
      );
      return Promise.resolve(steps.map(() => true));
    }),
  );

async function redeemed(redeem: Redeem, { run, intent, ask }: Step): Promise<void> {
  const answer = await redeem({
    run,
    step: intent.step,
    attempt: intent.attempt,
    actionDigest: ask.actionDigest,
    nonce: randomUUID(),
  });
  if (answer?.answer !== 'ok') throw new Error(`redeem said ${answer?.answer ?? 'nothing'}`);
}

process.once('message', (job: LedgerJob) => {
  work(job).then(
    (done) => process.send?.({ done }),
    (error: unknown) => process.send?.({ error: String(error) }),
  );
});
process.send?.('ready');
