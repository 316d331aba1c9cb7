/**
 * One of several processes that use one ledger at once. Started by test/decide/ledger-processes.ts; does the jobs it is
 * sent, one at a time, and sends back what came of each.
 */
import { randomUUID } from 'node:crypto';
import { decideStep } from '../../src/decide/step/step.js';
import type { Caller } from '../../src/decide/actors/caller.js';
import type { StepRequest } from '../../src/domain/protocol/decide.js';
import type { Sql } from '../../src/domain/sql.js';
import { openDatabase, type OpenDatabase } from '../../src/platform/postgres/database.js';
import type { LoginUrls } from '../stack/databases.js';
import { actionOf, redeem, reserve } from './ledger-rig.js';
import { depsWith } from './step-deps.js';

export type Job =
  /** Reserves `micros` at each of these steps, all at once. How many were allowed. */
  | { readonly job: 'reserve'; readonly at: readonly (readonly [run: string, step: number])[]; readonly micros: number }
  /** Asks for the same decision `times` at once. The answers. */
  | { readonly job: 'decide'; readonly caller: Caller; readonly request: StepRequest; readonly times: number }
  /** Settles and reserves at random. How many, and every error's code. */
  | {
      readonly job: 'churn';
      readonly runs: readonly string[];
      readonly count: number;
      readonly lanes: number;
      readonly seed: number;
    };
export type Sent = { readonly urls: LoginUrls; readonly job: Job };

async function work({ urls, job }: Sent): Promise<unknown> {
  const open = (login: 'decide' | 'execute', max: number) =>
    openDatabase(urls[login], {
      login,
      applicationName: 'tests',
      max,
      // Every statement of a job is asked for at once, and the last waits for a connection until all others are through.
      connectTimeoutMs: 60_000,
      lockTimeoutMs: 30_000,
      statementTimeoutMs: 30_000,
    });
  const [decide, execute] = await Promise.all([open('decide', 8), open('execute', 8)]);
  try {
    switch (job.job) {
      case 'reserve': {
        const answers = await Promise.all(
          job.at.map(([run, step]) => reserve(decide, run, step, { micros: job.micros })),
        );
        return answers.filter(({ ok }) => ok).length;
      }
      case 'decide': {
        const deps = depsWith();
        const once = () => decide.transaction((sql) => decideStep(sql, deps, job.caller, job.request));
        return await Promise.all(Array.from({ length: job.times }, once));
      }
      case 'churn':
        return await churn(decide, execute, job);
    }
  } finally {
    await Promise.all([decide.close(), execute.close()]);
  }
}

async function churn(decide: OpenDatabase, execute: Sql, job: Extract<Job, { job: 'churn' }>) {
  const random = randomFrom(job.seed);
  const errors: string[] = [];
  let [left, allowed, refused, settled, together, spoiled] = [job.count, 0, 0, 0, 0, 0];
  const oneOf = () => job.runs[Math.floor(random() * job.runs.length)] ?? '';
  const alone = async (run: string): Promise<void> => {
    const done = await decide.transaction((sql) => act(sql, run, random));
    settled += done.settled;
    if (done.step === null) refused += 1;
    else allowed += 1;
    if (done.step !== null && random() < 0.7) await redeem(execute, run, done.step);
  };
  const inFull = async (runs: readonly string[]): Promise<void> => {
    const done = await decide
      .transaction((sql) => actTogether(sql, runs, random))
      .catch((error: unknown) => {
        if (isSpoiled(error)) return null;
        throw error;
      });
    if (done === null) {
      spoiled += 1;
      for (const run of runs) await alone(run);
      return;
    }
    allowed += done.steps.length;
    together += done.steps.length;
    settled += done.settled;
    const asks = done.steps
      .filter(() => random() < 0.7)
      .map(({ run, step }) => ({ run, step, attempt: 1, action_digest: actionOf(step), nonce: randomUUID() }));
    await execute.query('SELECT * FROM decide.redeem_together($1)', [JSON.stringify(asks)]);
    for (const run of runs.filter((one) => !done.steps.some((step) => step.run === one))) await alone(run);
  };
  const lane = async (): Promise<void> => {
    while (left > 0) {
      const wanted = random() < 0.5 ? 1 + Math.floor(random() * 4) : 1;
      const runs = [...new Set(Array.from({ length: Math.min(wanted, left) }, oneOf))];
      left -= runs.length;
      try {
        await (random() < 0.6 ? inFull(runs) : Promise.all(runs.map(alone)));
      } catch (error) {
        errors.push(String((error as { readonly code?: unknown }).code ?? error));
      }
    }
  };
  await Promise.all(Array.from({ length: job.lanes }, lane));
  return { allowed, refused, settled, together, spoiled, errors };
}

/** One of the batch is not granted in full, or somebody kept its accounts for too long. */
const isSpoiled = (error: unknown): boolean =>
  ['RK001', '55P03'].includes(String((error as { readonly code?: unknown }).code));

type Ask = { readonly run: string; readonly step: number; readonly [column: string]: unknown };

/** As decide/step/step-batches.ts makes it: those runs that are free, one transaction for all of them. */
async function actTogether(
  sql: Sql,
  runs: readonly string[],
  random: () => number,
): Promise<{ readonly settled: number; readonly steps: readonly { readonly run: string; readonly step: number }[] }> {
  const free = await sql.query<{ run: string }>(
    'SELECT run_id AS run FROM decide.runs WHERE run_id = ANY ($1) ORDER BY run_id FOR NO KEY UPDATE SKIP LOCKED',
    [runs],
  );
  const settlements: object[] = [];
  const asks: Ask[] = [];
  for (const { run } of free) {
    settlements.push(...(await settlementsOf(sql, run, random)).map((one) => ({ run, ...one })));
    const [base, input] = [Math.floor(random() * 30), Math.floor(random() * 10)];
    const step = await nextStep(sql, run);
    asks.push({
      run,
      step,
      attempt: 1,
      turn: 1,
      action_digest: actionOf(step),
      not_after: '2999-01-01',
      price_key: null,
      base_micros: base,
      per_token_num: '1',
      per_token_den: '3',
      input_tokens: input,
      asked_output: 30,
      micros: base + 10,
      tokens: input + 30,
    });
  }
  await sql.query('SELECT decide.reserve_in_full($1, $2)', [JSON.stringify(settlements), JSON.stringify(asks)]);
  for (const { run, step } of asks) await writeDecision(sql, run, step, 'allow');
  return { settled: settlements.length, steps: asks };
}

/** One transaction as decide.step makes it: the run's lock, some settlements, a reservation, the decision. */
async function act(
  sql: Sql,
  run: string,
  random: () => number,
): Promise<{ readonly settled: number; readonly step: number | null }> {
  await sql.query('SELECT 1 FROM decide.runs WHERE run_id = $1 FOR NO KEY UPDATE', [run]);
  const settlements = await settlementsOf(sql, run, random);
  const step = await nextStep(sql, run);
  const [row] = await sql.query<{ answer: { settled: number; reserved: { ok: boolean } } }>(
    `SELECT decide.settle_and_reserve($1, $2, jsonb_build_object('step', $3::int, 'attempt', 1, 'turn', 1, 'action_digest', $4::text,
      'not_after', clock_timestamp() + interval '1 minute', 'enforced', $5::bool, 'price_key', NULL, 'base_micros', $6::bigint,
      'per_token_num', 1, 'per_token_den', 3, 'input_tokens', $7::bigint, 'asked_output', 30, 'floor', 10)) AS answer`,
    [
      run,
      JSON.stringify(settlements),
      step,
      actionOf(step),
      random() < 0.9,
      Math.floor(random() * 90),
      Math.floor(random() * 20),
    ],
  );
  const ok = row?.answer.reserved.ok ?? false;
  await writeDecision(sql, run, step, ok ? 'allow' : 'deny');
  return { settled: row?.answer.settled ?? 0, step: ok ? step : null };
}

async function settlementsOf(sql: Sql, run: string, random: () => number): Promise<readonly object[]> {
  const open = await sql.query<{ step: number; state: string }>(
    'SELECT step, state FROM decide.reservations WHERE run_id = $1 AND closed_at IS NULL ORDER BY step',
    [run],
  );
  return open
    .filter(() => random() < 0.8)
    .map(({ step, state }) => ({
      step,
      attempt: 1,
      state: state === 'issued' ? 'released' : random() < 0.8 ? 'settled' : 'forfeited',
      micros: `${Math.floor(random() * 120)}`,
      tokens: Math.floor(random() * 60),
      calls: 1,
      cost_usd: '0',
    }));
}

async function nextStep(sql: Sql, run: string): Promise<number> {
  const [last] = await sql.query<{ step: number }>(
    'SELECT coalesce(max(step), 0)::int AS step FROM decide.decisions WHERE run_id = $1',
    [run],
  );
  return (last?.step ?? 0) + 1;
}

const writeDecision = (sql: Sql, run: string, step: number, effect: 'allow' | 'deny'): Promise<unknown> =>
  sql.query(
    `INSERT INTO decide.decisions (run_id, step, attempt, kind, target, effect, action_digest, request_digest, arguments_digest,
      context_digest, not_after, snapshot_digest, policy_set_digest, price_table_digest, body)
    VALUES ($1, $2, 1, 'model.call', 'm', $3::text, $4::text, $4::text, $4::text, $4::text, CASE WHEN $3::text = 'allow' THEN now() END, 's', 'p', 't', '{}')`,
    [run, step, effect, actionOf(step)],
  );

/** mulberry32: the same seed, the same numbers. */
function randomFrom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}

process.on('message', (sent: Sent) => {
  work(sent).then(
    (result) => process.send?.({ result }),
    (error: unknown) =>
      process.send?.({ error: error instanceof Error ? (error.stack ?? error.message) : String(error) }),
  );
});
