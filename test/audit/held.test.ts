/** A lock that an acknowledger keeps hides no run from the judge: past its due time the session that holds it is ended. */
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import pg from 'pg';
import { judgeOverdueHeld } from '../../src/audit/judge/lock-holders.js';
import { judgeDue } from '../../src/audit/judge/judge.js';
import type { OpenDatabase } from '../../src/platform/postgres/database.js';
import { createStack, type Stack } from '../stack/stack.js';
import { aRun, TRACE_ACK, type RunFacts } from './facts.js';
import { openAs, verdictsOf } from './judged.js';
import { plant } from './plant.js';

let stack: Stack;
let audit: OpenDatabase;
beforeAll(async () => {
  stack = await createStack();
  audit = await openAs(stack, 'audit');
});
afterAll(async () => {
  await audit.close();
  await stack.drop();
});

const quiet = { info: () => undefined, warn: () => undefined, error: () => undefined };
const unfinished = (finalizeDueMs: number): RunFacts =>
  aRun({ finalizeDueMs, phase: 'EXECUTING', outcome: null, acks: [TRACE_ACK], evaluation: null });

/** As a compromised worker would: an ack that is neither committed nor given up, with limits of its own choosing. */
async function hold(url: string, run: string, statement: string): Promise<{ client: pg.Client; ended: Promise<void> }> {
  const client = new pg.Client({ connectionString: url });
  const ended = new Promise<void>((resolve) => {
    client.on('end', () => {
      resolve();
    });
  });
  client.on('error', () => undefined);
  await client.connect();
  await client.query(`SET statement_timeout = 0; SET idle_in_transaction_session_timeout = 0; SET lock_timeout = 0`);
  await client.query('BEGIN');
  await client.query('SAVEPOINT before');
  await client.query(statement, [run]);
  return { client, ended };
}
const ACK = `SELECT audit.ack($1, 'orchestrator', 'finalize_run', 'done', '{"table":"decide.runs"}')`;
/** Until the holder is old enough to be nobody's work. */
async function untilOld(client: pg.Client): Promise<void> {
  await client.query(`SELECT pg_sleep_until(transaction_timestamp() + interval '5.2 seconds')`);
}

describe('a contract that an acknowledger holds', () => {
  it('is not judged without its lock, and is once the holder was ended', async () => {
    const run = unfinished(-11_000);
    const other = aRun();
    await plant(stack.admin, [run, other]);
    const { client, ended } = await hold(stack.urls.decide, run.run, ACK);
    await judgeDue(audit);
    expect((await verdictsOf(stack.admin, [run.run, other.run])).map((one) => one?.status)).toEqual([
      undefined,
      'COMPLETE',
    ]);
    await untilOld(client);
    await judgeOverdueHeld(audit, quiet);
    await ended;
    expect((await verdictsOf(stack.admin, [run.run])).map((one) => one?.status)).toEqual(['STALE']);
    // What it wanted to have said was never said.
    expect(
      await stack.admin.query(`SELECT FROM audit.acks WHERE run_id = $1 AND action = 'finalize_run'`, [run.run]),
    ).toEqual([]);
  }, 40_000);

  it('is left to its holder until ten seconds past its due time', async () => {
    const run = unfinished(60_000);
    await plant(stack.admin, [run]);
    const { client, ended } = await hold(stack.urls.decide, run.run, ACK);
    await untilOld(client);
    expect(await judgeOverdueHeld(audit, quiet)).toEqual([]);
    expect(await audit.query('SELECT audit.end_holders($1) AS ended', [run.run])).toEqual([{ ended: 0 }]);
    await client.query('ROLLBACK');
    await client.end();
    await ended;
  }, 40_000);

  it('stays with a superuser, whom nobody can end: the sweep says so', async () => {
    const run = unfinished(-11_000);
    await plant(stack.admin, [run]);
    const { client, ended } = await hold(
      stack.adminUrl,
      run.run,
      'SELECT FROM audit.contracts WHERE run_id = $1 FOR NO KEY UPDATE',
    );
    await untilOld(client);
    await expect(judgeOverdueHeld(audit, quiet)).rejects.toThrow('held by somebody');
    expect(await verdictsOf(stack.admin, [run.run])).toEqual([null]);
    await client.query('ROLLBACK');
    await client.end();
    await ended;
    await judgeDue(audit);
    expect((await verdictsOf(stack.admin, [run.run])).map((one) => one?.status)).toEqual(['STALE']);
  }, 40_000);
});
