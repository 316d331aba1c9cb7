/** The model's acts on the real ledger, each one transaction that may be killed before any of its statements or its commit. */
import { randomUUID } from 'node:crypto';
import type { Sql } from '../../src/domain/sql.js';
import { actionOf, type LedgerRig } from './ledger-rig.js';
import type { Numbered, Said } from './ledger-state.js';

type Where = { readonly tenant: string; readonly runs: readonly string[] };

/** @param act.crashAt 0 to 3: its backend is ended before that statement, or before the commit; 4: after it */
export async function actOnLedger(rig: LedgerRig, where: Where, act: Numbered): Promise<Said> {
  const { admin } = rig.stack;
  const database = act.act === 'redeem' ? rig.execute : act.act === 'cap' ? admin : rig.decide;
  let committed: Said;
  try {
    committed = await database.transaction(async (sql) => {
      const [me] = await sql.query<{ pid: number }>('SELECT pg_backend_pid() AS pid');
      let statement = 0;
      const mortal: Sql = {
        query: async <R extends object>(text: string, values?: readonly unknown[]) => {
          if (statement === act.crashAt) await admin.query('SELECT pg_terminate_backend($1, 5000)', [me?.pid]);
          statement += 1;
          return sql.query<R>(text, values);
        },
      };
      const said = await perform(mortal, where, act);
      if (act.crashAt !== null && act.crashAt >= statement && act.crashAt < 4)
        await admin.query('SELECT pg_terminate_backend($1, 5000)', [me?.pid]);
      return said;
    });
  } catch (error) {
    if (act.crashAt !== null && act.crashAt < 4 && isBroken(error)) return 'crashed';
    throw error;
  }
  return act.crashAt === 4 ? 'lost' : committed;
}

/** The connection ended under it: administrator's command, or whatever the driver makes of a closed socket. */
const isBroken = (error: unknown): boolean =>
  error instanceof Error &&
  ((error as { readonly code?: string }).code === '57P01' ||
    /terminated|ECONNRESET|not queryable/i.test(
      `${error.message} ${String((error as { readonly code?: string }).code)}`,
    ));

async function perform(sql: Sql, where: Where, act: Numbered): Promise<Said> {
  if (act.act === 'cap') {
    const subject = act.of === 'run' ? (where.runs[0] ?? '') : where.tenant;
    await sql.query(`UPDATE decide.budgets SET cap = $2 WHERE subject = $1 AND unit = 'usd_micros'`, [
      subject,
      act.cap,
    ]);
    return 'done';
  }
  if (act.act === 'reserve') return reserve(sql, where.runs[act.run] ?? '', act);
  const warrant = act.chosen;
  if (warrant === null) return 'no effect';
  const run = where.runs[warrant.run] ?? '';
  if (act.act === 'redeem') {
    const [row] = await sql.query<{ answer: string }>('SELECT answer FROM decide.redeem($1, $2, 1, $3, $4)', [
      run,
      warrant.step,
      actionOf(warrant.step),
      randomUUID(),
    ]);
    return row?.answer === 'ok' ? 'done' : 'no effect';
  }
  await lock(sql, run);
  const settlement = {
    step: warrant.step,
    attempt: 1,
    state: act.act,
    micros: `${act.micros}`,
    tokens: 0,
    calls: 1,
    cost_usd: '0',
  };
  const [row] = await sql.query<{ answer: { settled: number } }>(
    'SELECT decide.settle_and_reserve($1, $2, NULL) AS answer',
    [run, JSON.stringify([settlement])],
  );
  return row?.answer.settled === 1 ? 'done' : 'no effect';
}

const lock = (sql: Sql, run: string) =>
  sql.query('SELECT 1 FROM decide.runs WHERE run_id = $1 FOR NO KEY UPDATE', [run]);

async function reserve(sql: Sql, run: string, act: Extract<Numbered, { act: 'reserve' }>): Promise<Said> {
  await lock(sql, run);
  const ask = {
    step: act.step,
    attempt: 1,
    turn: 1,
    action_digest: actionOf(act.step),
    not_after: '2999-01-01T00:00:00Z',
    enforced: act.enforced,
    price_key: null,
    base_micros: `${act.micros}`,
    per_token_num: '0',
    per_token_den: '1',
    input_tokens: 0,
    asked_output: null,
    floor: 64,
  };
  const [row] = await sql.query<{ answer: { reserved: { ok: boolean } } }>(
    `SELECT decide.settle_and_reserve($1, '[]', $2) AS answer`,
    [run, JSON.stringify(ask)],
  );
  const ok = row?.answer.reserved.ok ?? false;
  await sql.query(
    `INSERT INTO decide.decisions (run_id, step, attempt, kind, target, effect, action_digest, request_digest, arguments_digest,
      context_digest, not_after, snapshot_digest, policy_set_digest, price_table_digest, body)
    VALUES ($1, $2, 1, 'model.call', 'm', $3::text, $4::text, $4::text, $4::text, $4::text, CASE WHEN $3::text = 'allow' THEN now() END, 's', 'p', 't', '{}')`,
    [run, act.step, ok ? 'allow' : 'deny', actionOf(act.step)],
  );
  return ok ? 'allowed' : 'refused';
}
