/** Runs, reservations and settlements through the real functions, as the real logins, without the checks above them. */
import { randomUUID } from 'node:crypto';
import type { Sql } from '../../src/domain/sql.js';
import { openDatabase, type OpenDatabase } from '../../src/platform/postgres/database.js';
import { createStack, type Stack } from '../stack/stack.js';

export type LedgerRig = {
  readonly stack: Stack;
  readonly decide: OpenDatabase;
  readonly execute: OpenDatabase;
  close(): Promise<void>;
};

export async function createLedgerRig(): Promise<LedgerRig> {
  const stack = await createStack();
  const decide = await openDatabase(stack.urls.decide, {
    login: 'decide',
    applicationName: 'tests',
    max: 20,
    // Twenty at once are made when hundreds ask at once, on a machine that does much beside.
    connectTimeoutMs: 30_000,
  });
  const execute = await openDatabase(stack.urls.execute, { login: 'execute', applicationName: 'tests', max: 4 });
  return {
    stack,
    decide,
    execute,
    async close() {
      await Promise.all([decide.close(), execute.close()]);
      await stack.drop();
    },
  };
}

export const actionOf = (step: number): string => step.toString(16).padStart(64, 'a');

export type Scope = 'all' | 'tenant' | 'agent' | 'run' | 'label';

/** A run of agent `clerk` in EXECUTING. */
export async function openRun(
  decide: Sql,
  tenant = 'acme',
  labels: Readonly<Record<string, string>> = {},
  profile: 'STANDARD' | 'OBSERVE_ONLY' = 'STANDARD',
): Promise<string> {
  const run = randomUUID();
  await decide.query(`SELECT audit.declare($1, $2, 'clerk', $3, NULL)`, [run, tenant, profile]);
  await decide.query(
    `INSERT INTO decide.runs (run_id, tenant, agent, workflow_id, temporal_run_id, phase, profile, spec_digest, actor, limits,
      labels, contract_digest, run_deadline)
    VALUES ($1::uuid, $2, 'clerk', $1::uuid::text, 'first', 'CREATED', $4, 's', '{}', '{}', $3, 'c', now() + interval '1 hour')`,
    [run, tenant, JSON.stringify(labels), profile],
  );
  for (const phase of ['AUTHORIZED', 'EXECUTING'])
    await decide.query('UPDATE decide.runs SET phase = $2 WHERE run_id = $1', [run, phase]);
  return run;
}

export async function budget(
  decide: Sql,
  scope: Scope,
  subject: string,
  cap: number | string,
  unit: 'usd_micros' | 'tokens' | 'calls' = 'usd_micros',
  window: 'run' | 'day' | 'month' | 'forever' = scope === 'run' ? 'run' : 'forever',
): Promise<void> {
  await decide.query(
    'INSERT INTO decide.budgets (scope, subject, unit, time_window, cap) VALUES ($1, $2, $3, $4, $5)',
    [scope, subject, unit, window, cap],
  );
}

export type Ask = {
  readonly micros?: number | string;
  readonly inputTokens?: number;
  readonly askedOutput?: number;
  /** Micro-USD a token, as a fraction. */
  readonly perToken?: readonly [string, string];
  readonly enforced?: boolean;
  readonly notAfter?: string;
};
export type Reserved = {
  readonly ok: boolean;
  readonly micros?: string;
  readonly output_tokens?: number | null;
  readonly warnings?: readonly { readonly scope: string }[];
  readonly breaches?: readonly { readonly scope: string; readonly unit: string }[];
};

/** What decide.step does last: reserve, then the decision that the answer makes. */
export function reserve(decide: OpenDatabase, run: string, step: number, ask: Ask = {}): Promise<Reserved> {
  return decide.transaction(async (sql) => {
    const [row] = await sql.query<{ answer: { reserved: Reserved } }>(
      `SELECT decide.settle_and_reserve($1, '[]', jsonb_build_object('step', $2::int, 'attempt', 1, 'turn', 1, 'action_digest', $3::text,
        'not_after', clock_timestamp() + $4::interval, 'enforced', $5::bool, 'price_key', NULL, 'base_micros', $6::bigint,
        'per_token_num', $7::numeric, 'per_token_den', $8::numeric, 'input_tokens', $9::bigint, 'asked_output', $10::bigint,
        'floor', 64)) AS answer`,
      [
        run,
        step,
        actionOf(step),
        ask.notAfter ?? '1 minute',
        ask.enforced ?? true,
        ask.micros ?? 0,
        ...(ask.perToken ?? ['0', '1']),
        ask.inputTokens ?? 0,
        ask.askedOutput ?? null,
      ],
    );
    if (row === undefined) throw new Error('the ledger did not answer');
    await sql.query(
      `INSERT INTO decide.decisions (run_id, step, attempt, kind, target, effect, action_digest, request_digest, arguments_digest,
        context_digest, not_after, snapshot_digest, policy_set_digest, price_table_digest, body)
      VALUES ($1, $2, 1, 'model.call', 'm', $3::text, $4::text, $4::text, $4::text, $4::text, CASE WHEN $3::text = 'allow' THEN now() END, 's', 'p', 't', '{}')`,
      [run, step, row.answer.reserved.ok ? 'allow' : 'deny', actionOf(step)],
    );
    return row.answer.reserved;
  });
}

export type State = 'settled' | 'released' | 'forfeited';
export async function settle(
  decide: Sql,
  run: string,
  step: number,
  state: State,
  micros: number | string = 0,
): Promise<{ readonly settled: number; readonly skipped: number }> {
  const settlement = [
    { step, attempt: 1, state, micros: `${micros}`, tokens: 0, calls: state === 'settled' ? 1 : 0, cost_usd: '0' },
  ];
  const [row] = await decide.query<{ answer: { settled: number; skipped: number } }>(
    'SELECT decide.settle_and_reserve($1, $2, NULL) AS answer',
    [run, JSON.stringify(settlement)],
  );
  return { settled: row?.answer.settled ?? -1, skipped: row?.answer.skipped ?? -1 };
}

export async function redeem(
  execute: Sql,
  run: string,
  step: number,
  ask: { readonly nonce?: string; readonly digest?: string } = {},
): Promise<string> {
  const [row] = await execute.query<{ answer: string }>('SELECT answer FROM decide.redeem($1, $2, 1, $3, $4)', [
    run,
    step,
    ask.digest ?? actionOf(step),
    ask.nonce ?? randomUUID(),
  ]);
  return row?.answer ?? '';
}

export type Balance = { readonly spent: bigint; readonly reserved: bigint; readonly over: bigint };
/** By `scope/unit`. */
export async function balances(decide: Sql, subject: string): Promise<Readonly<Record<string, Balance>>> {
  const rows = await decide.query<Balance & { account: string }>(
    `SELECT scope || '/' || unit AS account, spent, reserved, over FROM decide.accounts WHERE subject = $1`,
    [subject],
  );
  return Object.fromEntries(rows.map(({ account, spent, reserved, over }) => [account, { spent, reserved, over }]));
}

/** Nothing, unless balances, journal, caps and open reservations disagree, or something was ever admitted above a cap. */
export async function drift(decide: Sql): Promise<readonly object[]> {
  const views = ['v_drift', 'v_overspent', 'v_set_aside_drift'];
  return (await Promise.all(views.map((view) => decide.query(`SELECT * FROM decide.${view}`)))).flat();
}

/** From here on windows and rates go by this time; null: by the clock again. */
export async function standAt(admin: Sql, time: string | null): Promise<void> {
  const text = time === null ? 'clock_timestamp()' : `''${time}''::timestamptz`;
  await admin.query(
    `CREATE OR REPLACE FUNCTION decide.clock() RETURNS timestamptz LANGUAGE sql VOLATILE AS 'SELECT ${text}'`,
  );
}
