/** The rolling sample: judged runs held again against what was signed, unasked, a portion at a time and a page at a time. */
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { exportJWK, generateKeyPair } from 'jose';
import { createObserveActivities } from '../../src/activities/observe.js';
import { closeRun } from '../../src/audit/judge/close.js';
import { reverifySample, type Portion, type SampleAnswer } from '../../src/audit/evidence/reverify.js';
import { createSigner, type Signer } from '../../src/audit/receipts/signer.js';
import { uuidOf, type RunId } from '../../src/domain/ids.js';
import type { Database, Sql } from '../../src/domain/sql.js';
import { createStack, type Stack } from '../stack/stack.js';
import { verdictsOf } from './judged.js';
import { closeLogins, finish, openLogins, sealedRun, type Logins } from './sealed-run.js';
import { plantTrips, trip } from './trip.js';

let stack: Stack;
let logins: Logins;
let signer: Signer;
beforeAll(async () => {
  stack = await createStack();
  logins = await openLogins(stack);
  const { privateKey } = await generateKeyPair('EdDSA', { crv: 'Ed25519', extractable: true });
  signer = await createSigner({ ...(await exportJWK(privateKey)), kid: 'k' });
});
afterAll(async () => {
  await closeLogins(logins);
  await stack.drop();
});

const log = { info: () => undefined, warn: () => undefined, error: () => undefined };
const close = (run: RunId) => closeRun({ database: logins.audit, signer, assertionKeys: null, log }, run);
async function signed(open = false): Promise<RunId> {
  const run = await sealedRun(stack, logins, { rich: true, open });
  if (!open) await close(run);
  return run;
}
const asSuperuser = (change: string, run: RunId): Promise<unknown> =>
  stack.admin.transaction(async (sql) => {
    await sql.query('SET LOCAL session_replication_role = replica');
    await sql.query(change, [uuidOf(run)]);
  });
const sample = (portion: Portion, database: Database = logins.audit): Promise<SampleAnswer> =>
  reverifySample(database, signer, portion);
const ALL: Portion = { runs: 1_000, events: 1_000_000 };
/** From the oldest again: the portion that finds no more says so. */
const whole = async (): Promise<SampleAnswer> => {
  await stack.admin.query(`DELETE FROM audit.beats WHERE name = 'reverify.cursor'`);
  return sample(ALL);
};
const findingsOf = async (run: RunId): Promise<readonly string[]> => {
  await close(run);
  const [verdict] = await verdictsOf(stack.admin, [uuidOf(run)]);
  return (verdict?.findings ?? []).map(({ code, subject, detail }) => `${code} ${subject}: ${detail}`);
};

describe('rows that a superuser changed after the verdict', () => {
  it.each([
    [
      'who approved',
      `UPDATE decide.acts SET actor = 'local:eve' WHERE run_id = $1`,
      ['ALTERED act u-1: what was written there is not what the receipt covers'],
    ],
    [
      'how long a hold was open',
      `UPDATE decide.holds SET until = until + interval '1 hour' WHERE run_id = $1`,
      ['ALTERED hold 1: it is not the one of the receipt'],
    ],
    [
      'a column of the contract',
      `UPDATE audit.contracts SET profile = 'OBSERVE_ONLY' WHERE run_id = $1`,
      ['ALTERED contract row 1: it is not the one of the receipt'],
    ],
    [
      'the number of its receipt',
      `UPDATE audit.receipts SET prev = decode(repeat('8', 64), 'hex') WHERE run_id = $1`,
      [expect.stringMatching(/^ALTERED receipt \d+ of acme: its columns are not what it says$/)],
    ],
    [
      'who signed it',
      `UPDATE audit.receipts SET jws = replace(jws, split_part(jws, '.', 3), repeat('A', 85) || 'A') WHERE run_id = $1`,
      ['ALTERED receipt.signature: the signature does not verify'],
    ],
    [
      'an event',
      `UPDATE observe.events SET bytes = convert_to(replace(convert_from(bytes, 'UTF8'), 'allow', 'deny'), 'UTF8')
       WHERE run_id = $1 AND seq = 2`,
      ['TRACE_BROKEN event 2: event 2 is not what its hash says'],
    ],
  ])('%s: a finding, in a new revision that is signed', async (_what, change, found) => {
    const run = await signed();
    expect(await whole()).toMatchObject({ broken: 0 });
    await asSuperuser(change, run);
    expect(await whole()).toMatchObject({ broken: 1 });
    expect(await findingsOf(run)).toEqual(found);
    expect(
      await stack.admin.query(
        `SELECT v.status, v.revision FROM audit.v_verdicts v JOIN audit.v_receipts r USING (run_id, revision) WHERE v.run_id = $1`,
        [uuidOf(run)],
      ),
    ).toEqual([{ status: 'INCOMPLETE', revision: 2 }]);
    // It stays so, and is not asked again.
    expect(await whole()).toMatchObject({ broken: 0 });
  });
});

describe('a trace longer than a portion', () => {
  const EVENTS = 700;
  async function long(): Promise<RunId> {
    const run = await signed(true);
    const observed = createObserveActivities({
      database: logins.observe,
      log: { warn: () => undefined },
      signal: () => new AbortController().signal,
    });
    for (let at = 0; at < EVENTS; at += 100)
      await observed['observe.append']({
        run,
        events: Array.from({ length: 100 }, (_, n) => ({
          id: `phase.${at + n}`,
          kind: 'phase.changed' as const,
          body: { phase: 'EXECUTING' },
        })),
      });
    await finish(logins, uuidOf(run), 5);
    await close(run);
    return run;
  }
  const passed = () =>
    stack.admin.query('SELECT run_id, ok, broken_seq FROM audit.trace_checks ORDER BY checked_at DESC LIMIT 1');

  it('is followed from where the last one ended, never more than a page at a time', async () => {
    const run = await long();
    await asSuperuser(`UPDATE observe.events SET hash = sha256('x') WHERE run_id = $1 AND seq = 690`, run);
    const pages: number[] = [];
    const watching = (sql: Sql): Sql => ({
      async query<R extends object>(text: string, values?: readonly unknown[]) {
        const rows = await sql.query<R>(text, values);
        for (const row of rows)
          for (const list of Object.values(row) as readonly unknown[]) if (Array.isArray(list)) pages.push(list.length);
        return rows;
      },
    });
    const watched: Database = {
      ...watching(logins.audit),
      transaction: (work, options) => logins.audit.transaction((sql) => work(watching(sql)), options),
      until: () => watched,
      close: () => Promise.resolve(),
    };
    await stack.admin.query(`DELETE FROM audit.beats WHERE name = 'reverify.cursor'`);
    const portion = { runs: 1_000, events: 200 };
    const answers = [await sample(portion, watched)];
    while (answers.at(-1)?.broken === 0 && answers.length < 50) answers.push(await sample(portion, watched));
    expect(await passed()).toEqual([{ run_id: uuidOf(run), ok: false, broken_seq: 690n }]);
    expect(answers.length).toBeGreaterThan(2);
    expect(Math.max(...pages)).toBe(256);
    expect(await findingsOf(run)).toContain('TRACE_BROKEN event 690: event 690 is not what its hash says');
  });
});

it('one that cannot be held stops no other, and is not the first for ever', async () => {
  await plantTrips(stack.admin);
  const runs = [await signed(), await signed()] as const;
  await asSuperuser(
    `WITH i AS (INSERT INTO execute.incidents (tenant, agent, fingerprint) VALUES ('acme', 'desk', repeat('f', 64)) RETURNING incident_id)
     INSERT INTO execute.incident_occurrences (run_id, incident_id, outcome, step, detail, context)
     SELECT $1, i.incident_id, 'failed', 1, '', '{}' FROM i`,
    runs[0],
  );
  await trip(stack.admin, uuidOf(runs[0]), '53200');
  await asSuperuser(`UPDATE decide.holds SET until = until + interval '1 hour' WHERE run_id = $1`, runs[1]);
  await stack.admin.query(`DELETE FROM audit.beats WHERE name = 'reverify.cursor'`);
  const one: Portion = { ...ALL, runs: 1 };
  const failed = async (left: number): Promise<string> => {
    const why = await sample(one).then(() => '', String);
    return why !== '' || left === 0 ? why : failed(left - 1);
  };
  expect(await failed(20)).toBe('AggregateError: 1 runs of the sample could not be held');
  expect(await sample(one)).toEqual({ checked: 1, broken: 1 });
  expect(await stack.admin.query('SELECT what FROM audit.altered WHERE run_id = $1', [uuidOf(runs[1])])).toEqual([
    { what: 'hold 1' },
  ]);
  // Nor does it stop those of its own portion.
  await asSuperuser('DELETE FROM audit.altered WHERE run_id = $1', runs[1]);
  await expect(whole()).rejects.toThrow('1 runs of the sample could not be held');
  expect(await stack.admin.query('SELECT what FROM audit.altered WHERE run_id = $1', [uuidOf(runs[1])])).toEqual([
    { what: 'hold 1' },
  ]);
});
