/** A whole run through the real functions, by the logins that own them: declared, decided, warranted, executed, traced, acknowledged. */
import { createObserveActivities } from '../../src/activities/observe.js';
import { runIdOf, type RunId } from '../../src/domain/ids.js';
import type { OpenDatabase } from '../../src/platform/database.js';
import type { Stack } from '../stack/stack.js';
import { newRun } from './facts.js';
import { openAs } from './judged.js';

export type Logins = Readonly<Record<'decide' | 'execute' | 'observe' | 'audit', OpenDatabase>>;

export async function openLogins(stack: Stack): Promise<Logins> {
  const [decide, execute, observe, audit] = await Promise.all([
    openAs(stack, 'decide'),
    openAs(stack, 'execute'),
    openAs(stack, 'observe'),
    openAs(stack, 'audit'),
  ]);
  return { decide, execute, observe, audit };
}
export const closeLogins = (logins: Logins): Promise<unknown> =>
  Promise.all(Object.values(logins).map((login) => login.close()));

const ACTION = 'a'.repeat(64);
const OUTCOME = 'e'.repeat(64);
const OTHER = '1'.repeat(64);
const NONCE = '00000000-0000-0000-0000-000000000001';

/** One model call, succeeded. Not finalized when `open`. */
export async function sealedRun(
  stack: Stack,
  logins: Logins,
  options: { readonly tenant?: string; readonly open?: boolean } = {},
): Promise<RunId> {
  const uuid = newRun();
  const run = runIdOf(uuid);
  const tenant = options.tenant ?? 'acme';
  await logins.decide.query(`SELECT audit.declare($1, $2, 'desk', 'STANDARD', NULL)`, [uuid, tenant]);
  await logins.decide.query(
    `INSERT INTO decide.runs (run_id, tenant, agent, workflow_id, temporal_run_id, phase, profile, spec_digest, actor, limits, contract_digest, run_deadline)
     VALUES ($1::uuid, $2::text, 'desk', 'rok/' || $2::text || '/' || $1::uuid, 'history-of-' || $1::uuid, 'EXECUTING', 'STANDARD', $3, '{"name":"local:ann"}', '{}', $3, clock_timestamp() + interval '1 hour')`,
    [uuid, tenant, OTHER],
  );
  for (const [step, kind, digest] of [
    [1, 'model.call', ACTION],
    [2, 'run.outcome', OUTCOME],
  ] as const)
    await logins.decide.query(
      `INSERT INTO decide.decisions (run_id, step, attempt, kind, target, effect, action_digest, request_digest, arguments_digest,
         context_digest, not_after, snapshot_digest, policy_set_digest, price_table_digest, body)
       VALUES ($1, $2, 1, $3, 'a/target', 'allow', $4, $5, $5, $5, clock_timestamp() + interval '1 minute', $5, $5, $5, '{}')`,
      [uuid, step, kind, digest, OTHER],
    );
  // The ledger's rows have a function of their own, which is not what is tested here.
  await stack.admin.query(
    `INSERT INTO decide.reservations (run_id, step, attempt, turn, state, action_digest, not_after) VALUES ($1, 1, 1, 1, 'issued', $2, clock_timestamp() + interval '1 minute')`,
    [uuid, ACTION],
  );
  const [redeemed] = await logins.execute.query<{ answer: string }>(
    'SELECT decide.redeem($1, 1, 1, $2, $3) AS answer',
    [uuid, ACTION, NONCE],
  );
  if (redeemed?.answer !== 'ok') throw new Error(`redeem answered ${redeemed?.answer ?? 'nothing'}`);
  const [result] = await logins.execute.query<{ digest: string }>(
    `INSERT INTO execute.results (run_id, step, attempt, status, content_digest, input_tokens, output_tokens, cached_tokens, reasoning_tokens, usage_reported, reported_model, digest)
     VALUES ($1::uuid, 1, 1, 'succeeded', $2::text, 10, 5, 0, 0, true, 'm-1',
       execute.result_digest($1::uuid, 1, 1, 'succeeded', $2::text, 10, 5, 0, 0, true, NULL, NULL, NULL, 'm-1', NULL)) RETURNING digest`,
    [uuid, OTHER],
  );
  await stack.admin.query(
    `UPDATE decide.reservations SET state = 'settled', closed_at = clock_timestamp(), spent_micros = 42, tokens = 15, over_micros = 0 WHERE run_id = $1`,
    [uuid],
  );
  const observed = createObserveActivities({
    database: logins.observe,
    log: { warn: () => undefined },
    signal: () => new AbortController().signal,
  });
  await observed['observe.append']({
    run,
    events: [
      { id: 'run.created', kind: 'run.created', body: { workflow: 'governed' } },
      { id: '1.1.decided', kind: 'step.decided', body: { effect: 'allow', action: ACTION } },
      { id: '1.1.executed', kind: 'step.executed', body: { status: 'succeeded', result: result?.digest ?? '' } },
      ...(options.open === true
        ? []
        : [{ id: 'run.closing', kind: 'run.closing', body: { outcome: 'succeeded' } } as const]),
    ],
  });
  if (options.open !== true) await finish(logins, uuid);
  return run;
}

async function finish({ decide, execute }: Logins, uuid: string): Promise<void> {
  await decide.query(`UPDATE decide.runs SET phase = 'FINALIZING', outcome = 'succeeded' WHERE run_id = $1`, [uuid]);
  await execute.query(
    `INSERT INTO execute.evaluations (run_id, step, attempt, outcome) VALUES ($1, 2, 1, 'succeeded')`,
    [uuid],
  );
  await execute.query(
    `SELECT audit.ack($1, 'policies', 'evaluate_policy', 'done', '{"table":"execute.evaluations"}')`,
    [uuid],
  );
  await decide.transaction(async (sql) => {
    await sql.query(`UPDATE decide.runs SET phase = 'COMPLETED', ended_at = clock_timestamp() WHERE run_id = $1`, [
      uuid,
    ]);
    await sql.query(`SELECT audit.ack($1, 'orchestrator', 'finalize_run', 'done', '{"table":"decide.runs"}')`, [uuid]);
  });
}
