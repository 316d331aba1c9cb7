/** A whole run through the real functions, by the logins that own them: declared, decided, warranted, executed, traced, acknowledged. */
import { createObserveActivities } from '../../src/activities/observe.js';
import { runIdOf, type RunId } from '../../src/domain/ids.js';
import type { TraceEvent } from '../../src/domain/trace-event.js';
import type { OpenDatabase } from '../../src/platform/postgres/database.js';
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
const TERMS = { reason: 'APPROVAL_REQUIRED', authority: 'finance', quorum: 1 };
const NONCE = '00000000-0000-0000-0000-000000000001';

export type SealedOptions = {
  readonly tenant?: string;
  /** Not finalized. */
  readonly open?: boolean;
  /** More steps, a pause with its amendment, a denial. */
  readonly rich?: boolean;
  /** Of a rich one: what happens while it is held. */
  readonly whileHeld?: () => Promise<void>;
};

/** One model call that succeeded, or three. */
export async function sealedRun(stack: Stack, logins: Logins, options: SealedOptions = {}): Promise<RunId> {
  const uuid = newRun();
  const run = runIdOf(uuid);
  const rich = options.rich === true;
  await declare(logins, uuid, options.tenant ?? 'acme');
  const events: TraceEvent[] = [{ id: 'run.created', kind: 'run.created', body: { workflow: 'governed' } }];
  const steps = rich ? 3 : 1;
  for (let step = 1; step <= steps; step += 1) {
    const attempt = rich && step === 2 ? 2 : 1;
    if (attempt === 2) events.push(...(await pause(logins, uuid, step, options.whileHeld)));
    await decide(logins, uuid, { step, attempt, kind: 'model.call', effect: 'allow', digest: ACTION });
    events.push({ id: `${step}.${attempt}.decided`, kind: 'step.decided', body: { effect: 'allow', action: ACTION } });
    const result = await attempted(stack, logins, uuid, step, attempt);
    events.push({ id: `${step}.${attempt}.executed`, kind: 'step.executed', body: { status: 'succeeded', result } });
  }
  if (rich) {
    await decide(logins, uuid, { step: 4, attempt: 1, kind: 'skill.call', effect: 'deny', digest: ACTION });
    events.push({ id: '4.1.decided', kind: 'step.decided', body: { effect: 'deny', action: ACTION } });
  }
  const outcome = rich ? 5 : 2;
  await decide(logins, uuid, { step: outcome, attempt: 1, kind: 'run.outcome', effect: 'allow', digest: OUTCOME });
  if (options.open !== true)
    events.push({ id: 'run.closing', kind: 'run.closing', body: { outcome: 'succeeded', events: events.length + 1 } });
  const observed = createObserveActivities({
    database: logins.observe,
    log: { warn: () => undefined },
    signal: () => new AbortController().signal,
  });
  await observed['observe.append']({ run, events });
  if (options.open !== true) await finish(logins, uuid, outcome);
  return run;
}

async function declare({ decide }: Logins, uuid: string, tenant: string): Promise<void> {
  const [contract] = await decide.query<{ digest: string }>(
    `SELECT encode(digest, 'hex') AS digest FROM audit.declare($1, $2, 'desk', 'STANDARD', NULL)`,
    [uuid, tenant],
  );
  await decide.query(
    `INSERT INTO decide.runs (run_id, tenant, agent, workflow_id, temporal_run_id, phase, profile, spec_digest, actor, limits, contract_digest, run_deadline)
     VALUES ($1::uuid, $2::text, 'desk', 'rok/' || $2::text || '/' || $1::uuid, 'history-of-' || $1::uuid, 'CREATED', 'STANDARD', $3, '{"name":"local:ann"}', '{"usdMicros":"1000000"}', $4, clock_timestamp() + interval '1 hour')`,
    [uuid, tenant, OTHER, contract?.digest],
  );
  for (const phase of ['AUTHORIZED', 'EXECUTING'])
    await decide.query('UPDATE decide.runs SET phase = $2 WHERE run_id = $1', [uuid, phase]);
}

type Decided = {
  readonly step: number;
  readonly attempt: number;
  readonly kind: string;
  readonly effect: 'allow' | 'deny' | 'pause';
  readonly digest: string;
};

async function decide({ decide: login }: Logins, uuid: string, { step, attempt, kind, effect, digest }: Decided) {
  const reasons = effect === 'allow' ? [] : [{ code: 'policy', rule: 'refunds/large', text: 'a “large” one' }];
  await login.query(
    `INSERT INTO decide.decisions (run_id, step, attempt, kind, target, effect, action_digest, request_digest, arguments_digest,
       context_digest, not_after, snapshot_digest, policy_set_digest, price_table_digest, body)
     VALUES ($1, $2, $3, $4, 'a/target', $5::text, $6, $7::text, $7::text, $7::text,
       CASE WHEN $5::text = 'allow' THEN clock_timestamp() + interval '1 minute' END, $7::text, $7::text, $7::text, $8)`,
    [
      uuid,
      step,
      attempt,
      kind,
      effect,
      digest,
      OTHER,
      JSON.stringify({ reasons, notices: [], ...(effect === 'pause' ? { hold: TERMS } : {}) }),
    ],
  );
}

/** A pause that bob ends: the hold, his act and its resolution, and an amendment of the contract. */
async function pause(
  logins: Logins,
  uuid: string,
  step: number,
  whileHeld?: () => Promise<void>,
): Promise<readonly TraceEvent[]> {
  const { decide: login } = logins;
  const { reason, authority } = TERMS;
  await decide(logins, uuid, { step, attempt: 1, kind: 'model.call', effect: 'pause', digest: ACTION });
  await login.query(
    `INSERT INTO decide.holds (run_id, hold, step, attempt, action_digest, reason, authority, quorum, opened_by, until, on_timeout)
     VALUES ($1, 1, $2, 1, $3, 'APPROVAL_REQUIRED', 'finance', 1, 'policy', clock_timestamp() + interval '1 hour', 'terminate')`,
    [uuid, step, ACTION],
  );
  const amend = (why: string, until: string) =>
    login.query(
      `SELECT m.* FROM decide.holds h, LATERAL audit.amend(h.run_id, h.step, h.attempt, h.hold, $2, h.opened_at, h.${until}) m
       WHERE h.run_id = $1 AND h.hold = 1`,
      [uuid, why],
    );
  await amend('hold_opened', 'until');
  await whileHeld?.();
  await login.query(
    `INSERT INTO decide.acts (run_id, update_id, verb, actor, person, roles, issuer, hold, action_digest, allowed, reason)
     SELECT $1, 'u-1', 'approve', 'local:bob', decide.person_of(r.tenant, '{"issuer":"local","subject":"bob","folded":"bob"}'),
       '{approver:finance}', 'local', 1, $2, true, 'the photo was seen' FROM decide.runs r WHERE r.run_id = $1`,
    [uuid, ACTION],
  );
  const [hold] = await login.query<{ until: string }>(
    `UPDATE decide.holds SET resolution = 'approved' WHERE run_id = $1 RETURNING until`,
    [uuid],
  );
  await amend('hold_ended', 'resolved_at');
  return [
    { id: `${step}.1.decided`, kind: 'step.decided', body: { effect: 'pause', action: ACTION } },
    {
      id: 'hold.1.opened',
      kind: 'hold.opened',
      body: { step, attempt: 1, reason, authority, until: hold?.until ?? '', action: ACTION },
    },
    { id: 'hold.1.resolved', kind: 'hold.resolved', body: { resolution: 'approved' } },
  ];
}

/** @returns the digest of the result's row */
async function attempted(stack: Stack, logins: Logins, uuid: string, step: number, attempt: number): Promise<string> {
  // The ledger's rows have a function of their own, which is not what is tested here.
  await stack.admin.query(
    `INSERT INTO decide.reservations (run_id, step, attempt, turn, state, action_digest, not_after, bound_micros, bound_tokens)
     VALUES ($1, $2, $3, 1, 'issued', $4, clock_timestamp() + interval '1 minute', 50, 20)`,
    [uuid, step, attempt, ACTION],
  );
  const [redeemed] = await logins.execute.query<{ answer: string }>(
    'SELECT answer FROM decide.redeem($1, $2, $3, $4, $5)',
    [uuid, step, attempt, ACTION, NONCE],
  );
  if (redeemed?.answer !== 'ok') throw new Error(`redeem answered ${redeemed?.answer ?? 'nothing'}`);
  const [result] = await logins.execute.query<{ digest: string }>(
    `INSERT INTO execute.results (run_id, step, attempt, status, content_digest, input_tokens, output_tokens, cached_tokens, reasoning_tokens, usage_reported, reported_model, digest)
     VALUES ($1::uuid, $3, $4, 'succeeded', $2::text, 10, 5, 0, 0, true, 'm-1',
       execute.result_digest($1::uuid, $3, $4, 'succeeded', $2::text, 10, 5, 0, 0, true, NULL, NULL, NULL, 'm-1', NULL)) RETURNING digest`,
    [uuid, OTHER, step, attempt],
  );
  await stack.admin.query(
    `UPDATE decide.reservations SET state = 'settled', closed_at = clock_timestamp(), spent_micros = 42, tokens = 15, over_micros = 0,
       cost_usd = 0.000042
     WHERE run_id = $1 AND step = $2`,
    [uuid, step],
  );
  return result?.digest ?? '';
}

export async function finish({ decide: login, execute }: Logins, uuid: string, outcome: number): Promise<void> {
  await login.query(
    `UPDATE decide.runs SET phase = 'FINALIZING', outcome = 'succeeded', answer = $2 WHERE run_id = $1`,
    [uuid, OTHER],
  );
  await execute.query(
    `INSERT INTO execute.evaluations (run_id, step, attempt, outcome) VALUES ($1, $2, 1, 'succeeded')`,
    [uuid, outcome],
  );
  await execute.query(
    `SELECT audit.ack($1, 'policies', 'evaluate_policy', 'done', '{"table":"execute.evaluations"}')`,
    [uuid],
  );
  await login.transaction(async (sql) => {
    await sql.query(`UPDATE decide.runs SET phase = 'COMPLETED' WHERE run_id = $1`, [uuid]);
    await sql.query(`SELECT audit.ack($1, 'orchestrator', 'finalize_run', 'done', '{"table":"decide.runs"}')`, [uuid]);
  });
}
