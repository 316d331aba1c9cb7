/**
 * One of the four processes of bench/ledger.ts: whole steps, one after the other in each lane, until the time is over. A step
 * is what a run makes of the ledger: one transaction that locks the run, settles the last call, reserves the next and writes
 * the decision with its snapshot; then the executor redeems.
 */
import { createHash, randomUUID } from 'node:crypto';
import { foretellReserve, type Settlement } from '../src/decide/ledger.js';
import { writeDecision } from '../src/decide/decision-row.js';
import { iso, runIdOf, type Digest } from '../src/domain/ids.js';
import { actionDigest, type Intent } from '../src/domain/intent.js';
import { openDatabase, type OpenDatabase } from '../src/platform/database.js';
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
export type LedgerDone = { readonly steps: number; readonly refused: number; readonly ms: readonly number[] };

const digestOf = (text: string): Digest => createHash('sha256').update(text).digest('hex') as Digest;

async function work({ urls, runs, warmUpSeconds, seconds }: LedgerJob): Promise<LedgerDone> {
  const [decide, execute] = await Promise.all([
    openDatabase(urls.decide, { login: 'decide', applicationName: 'bench', max: CONNECTIONS }),
    openDatabase(urls.execute, { login: 'execute', applicationName: 'bench', max: CONNECTIONS }),
  ]);
  const ms: number[] = [];
  let refused = 0;
  const from = performance.now() + warmUpSeconds * 1000;
  const until = from + seconds * 1000;
  const lane = async (run: string): Promise<void> => {
    let last: Settlement | null = null;
    for (let step = 1; performance.now() < until; step += 1) {
      const began = performance.now();
      const ok = await oneStep({ decide, execute }, run, step, last);
      if (!ok) refused += 1;
      else if (began >= from) ms.push(performance.now() - began);
      last = ok ? settlementOf(step) : null;
    }
  };
  await Promise.all(runs.map(lane));
  await Promise.all([decide.close(), execute.close()]);
  return { steps: ms.length, refused, ms };
}

const settlementOf = (step: number): Settlement => ({
  step,
  attempt: 1,
  state: 'settled',
  micros: `${100 + (step % 50)}`,
  tokens: 100,
  calls: 1,
  cost_usd: '0.0001',
});

async function oneStep(
  { decide, execute }: { readonly decide: OpenDatabase; readonly execute: OpenDatabase },
  uuid: string,
  step: number,
  last: Settlement | null,
): Promise<boolean> {
  const run = runIdOf(uuid);
  const intent: Intent = { ...modelCall, step, contextDigest: digestOf(`${uuid} ${step}`) };
  const action = actionDigest(intent);
  const notAfter = iso(new Date(Date.now() + 120_000).toISOString());
  const ok = await decide.transaction((sql) => {
    // Sent together with what follows; decide/step.ts reads its facts in between.
    void sql.query('SELECT phase FROM decide.runs WHERE run_id = $1 FOR NO KEY UPDATE', [uuid]);
    const ledger = foretellReserve(sql, run, last === null ? [] : [last], {
      step,
      attempt: 1,
      turn: step,
      actionDigest: action,
      notAfter,
      enforced: true,
      bound: { baseMicros: 100n, perToken: { num: 1n, den: 2n }, inputTokens: 100, priceKey: 'bench/model' },
      askedOutputTokens: 100,
    });
    const allowed = ledger.ok;
    const snapshot = snapshotWith({ ledger });
    writeDecision(sql, {
      run,
      intent,
      actionDigest: action,
      snapshot,
      answer: {
        ruling: allowed
          ? { effect: 'allow', grant: { notAfter, model: intent.target, outputTokens: 100 } }
          : { effect: 'deny', reasons: [], final: false },
        determining: [],
        errors: [],
        notices: [],
      },
      policySetDigest: digestOf('policies'),
      priceTableDigest: digestOf('prices'),
      counters: snapshot.counters,
      phase: 'EXECUTING',
    });
    return Promise.resolve(allowed);
  });
  if (!ok) return false;
  const [row] = await execute.query<{ answer: string }>('SELECT decide.redeem($1, $2, 1, $3, $4) AS answer', [
    uuid,
    step,
    action,
    randomUUID(),
  ]);
  if (row?.answer !== 'ok') throw new Error(`redeem said ${row?.answer ?? 'nothing'}`);
  return true;
}

process.once('message', (job: LedgerJob) => {
  work(job).then(
    (done) => process.send?.({ done }),
    (error: unknown) => process.send?.({ error: String(error) }),
  );
});
process.send?.('ready');
