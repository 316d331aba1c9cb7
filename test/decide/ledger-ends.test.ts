/** What becomes of money in flight: a run's end, a backend that dies between two statements, a commit whose reply is lost. */
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { randomUUID } from 'node:crypto';
import { canonicalJson } from '../../src/domain/canonical-json.js';
import { finalize, latch } from '../../src/decide/lifecycle/close.js';
import { decideStep } from '../../src/decide/step/step.js';
import type { Caller } from '../../src/decide/actors/caller.js';
import { uuidOf, type RunId } from '../../src/domain/ids.js';
import type { Outcome } from '../../src/domain/phases.js';
import type { Sql } from '../../src/domain/sql.js';
import { openDatabase } from '../../src/platform/postgres/database.js';
import { budget, drift, redeem } from './ledger-rig.js';
import { openLosingWay } from './lost-reply.js';
import { createStepRig, modelCall, skillCall, type StepRig } from './step-rig.js';

let rig: StepRig;
beforeAll(async () => {
  rig = await createStepRig();
});
afterEach(async () => {
  expect(await drift(rig.decide)).toEqual([]);
});
afterAll(() => rig.close());

async function openFor(tenant: string) {
  const caller: Caller = { workflowId: `rok/${tenant}/${randomUUID()}`, temporalRunId: randomUUID() };
  const { opened } = await rig.open({ tenant }, caller);
  return { caller, run: opened.run };
}

async function redeemed(run: RunId, step: number): Promise<void> {
  const [decision] = await rig.decide.query<{ action_digest: string }>(
    'SELECT action_digest FROM decide.decisions WHERE run_id = $1 AND step = $2',
    [uuidOf(run), step],
  );
  expect(await redeem(rig.execute, uuidOf(run), step, { digest: decision?.action_digest ?? '' })).toBe('ok');
}

const succeeded = (run: RunId, step: number, input: number, output: number) =>
  rig.execute.query(
    `INSERT INTO execute.results (run_id, step, attempt, status, content_digest, input_tokens, output_tokens, cached_tokens,
      reasoning_tokens, usage_reported, digest)
    VALUES ($1::uuid, $2::int, 1, 'succeeded', $3::text, $4::bigint, $5::bigint, 0, 0, true,
      execute.result_digest($1::uuid, $2::int, 1, 'succeeded', $3::text, $4::bigint, $5::bigint, 0, 0, true, NULL, NULL, NULL, NULL, NULL))`,
    [uuidOf(run), step, 'e'.repeat(64), input, output],
  );

const accounts = (subject: string) =>
  rig.decide.query('SELECT unit, spent, reserved, over FROM decide.accounts WHERE subject = $1 ORDER BY unit', [
    subject,
  ]);

/** Everything the ledger holds of a run, and of its tenant. */
const ledgerOf = async (tenant: string, run: RunId): Promise<string> =>
  canonicalJson(
    (
      await rig.stack.admin.query<{ whole: string }>(
        `SELECT jsonb_build_array(
          (SELECT jsonb_agg(to_jsonb(a) ORDER BY account_id) FROM decide.accounts a WHERE subject IN ($1, $2)),
          (SELECT jsonb_agg(to_jsonb(w) ORDER BY step) FROM decide.reservations w WHERE run_id = $2::uuid),
          (SELECT count(*) FROM decide.journal WHERE run_id = $2::uuid),
          (SELECT jsonb_agg(d.step ORDER BY step) FROM decide.decisions d WHERE run_id = $2::uuid),
          (SELECT jsonb_agg(x.status) FROM execute.results x WHERE run_id = $2::uuid),
          (SELECT phase FROM decide.runs WHERE run_id = $2::uuid))::text AS whole`,
        [tenant, uuidOf(run)],
      )
    )[0]?.whole ?? null,
  );

describe('a run that ends with calls in flight', () => {
  it.each(['killed', 'succeeded', 'expired'] as const)(
    '%s: nothing stays reserved, the tenant is right to the micro',
    async (outcome) => {
      const tenant = `t-${randomUUID()}`;
      await budget(rig.decide, 'tenant', tenant, 10_000);
      await budget(rig.decide, 'tenant', tenant, 100, 'calls');
      const { caller, run } = await openFor(tenant);
      // One turn: a call with a result, one without, one whose warrant nobody took, and a skill without a result.
      for (const step of [1, 2, 3])
        await rig.step(caller, { ...(await modelCall(rig, run, step, { tokens: 100 })), turn: 1 });
      await rig.step(caller, skillCall(run, 4, 'look', 1, 1));
      for (const step of [1, 2, 4]) await redeemed(run, step);
      await succeeded(run, 1, 90, 7);
      expect(await accounts(tenant)).toEqual([
        { unit: 'calls', spent: 0n, reserved: 4n, over: 0n },
        { unit: 'usd_micros', spent: 0n, reserved: 600n, over: 0n },
      ]);
      const end = { run, outcome: outcome satisfies Outcome, detail: 'the end', answer: null };
      await rig.as((sql) => latch(sql, rig.deps, caller, end));
      const final = await rig.as((sql) => finalize(sql, rig.deps, caller, end));
      expect(final).toMatchObject({ outcome, spentMicros: '297', tokens: 297 });
      // Settled 97; forfeited 200, and the skill; released the third.
      expect(await accounts(tenant)).toEqual([
        { unit: 'calls', spent: 3n, reserved: 0n, over: 0n },
        { unit: 'usd_micros', spent: 297n, reserved: 0n, over: 0n },
      ]);
      expect(
        await rig.decide.query('SELECT step, state FROM decide.reservations WHERE run_id = $1 ORDER BY step', [
          uuidOf(run),
        ]),
      ).toEqual([
        { step: 1, state: 'settled' },
        { step: 2, state: 'forfeited' },
        { step: 3, state: 'released' },
        { step: 4, state: 'forfeited' },
      ]);
    },
  );
});

describe('a backend that dies', () => {
  /** The act up to its statement number `at`, before which the server ends its connection. @returns whether it got that far */
  async function dying(at: number, act: (sql: Sql) => Promise<unknown>): Promise<boolean> {
    let statement = 0;
    let died = false;
    const die = async (sql: Sql): Promise<void> => {
      // Said first: what was sent together with this statement fails while the server is still at it.
      died = true;
      const [me] = await sql.query<{ pid: number }>('SELECT pg_backend_pid() AS pid');
      await rig.stack.admin.query('SELECT pg_terminate_backend($1, 5000)', [me?.pid]);
    };
    const done = rig.decide.transaction(async (sql) => {
      const sent: Promise<unknown>[] = [];
      const ask = async <R extends object>(text: string, values?: readonly unknown[]) => {
        const mine = statement;
        statement += 1;
        if (mine === at) await die(sql);
        return sql.query<R>(text, values);
      };
      await act({
        query: <R extends object>(text: string, values?: readonly unknown[]) => {
          const asked = ask<R>(text, values);
          asked.catch(() => undefined);
          sent.push(asked);
          return asked;
        },
      });
      // Those that the act did not wait for too: here death comes between sending and answering.
      await Promise.all(sent);
      // The last place: everything is said but the commit.
      if (statement === at) await die(sql);
    });
    if (await done.then(() => true).catch(() => false)) return false;
    expect(died).toBe(true);
    return true;
  }

  it('between any two statements of a step or of the end leaves everything as it was; the next try does it once', async () => {
    const tenant = `t-${randomUUID()}`;
    await budget(rig.decide, 'tenant', tenant, 10_000);
    const { caller, run } = await openFor(tenant);
    await rig.step(caller, await modelCall(rig, run, 1));
    await redeemed(run, 1);
    await succeeded(run, 1, 50, 50);
    const request = await modelCall(rig, run, 2);
    const end = { run, outcome: 'killed' as const, detail: 'the end', answer: null };
    const acts: readonly ((sql: Sql) => Promise<unknown>)[] = [
      (sql) => decideStep(sql, rig.deps, caller, request),
      (sql) => finalize(sql, rig.deps, caller, end),
    ];
    for (const [nth, act] of acts.entries()) {
      if (nth === 1) await redeemed(run, 2);
      const before = await ledgerOf(tenant, run);
      let places = 0;
      while (await dying(places, act)) {
        expect(await ledgerOf(tenant, run)).toBe(before);
        places += 1;
      }
      // Killed before each statement, and before the commit; then it was let through.
      expect(places).toBeGreaterThan(3);
      expect(await ledgerOf(tenant, run)).not.toBe(before);
      expect(await drift(rig.decide)).toEqual([]);
    }
    expect(await accounts(tenant)).toEqual([{ unit: 'usd_micros', spent: 300n, reserved: 0n, over: 0n }]);
  });
});

describe('a commit whose reply is lost', () => {
  it('and that is repeated: one row, the same answer', async () => {
    const tenant = `t-${randomUUID()}`;
    await budget(rig.decide, 'tenant', tenant, 10_000);
    const { caller, run } = await openFor(tenant);
    const request = await modelCall(rig, run, 1);
    const way = await openLosingWay(rig.stack.urls.decide);
    const losing = await openDatabase(way.url(rig.stack.urls.decide), {
      login: 'decide',
      applicationName: 'tests',
      max: 1,
    });
    await expect(losing.transaction((sql) => decideStep(sql, rig.deps, caller, request))).rejects.toThrow();
    expect(way.lost).toBe(1);
    await losing.close();
    await way.close();
    const before = await ledgerOf(tenant, run);
    const again = await rig.step(caller, request);
    const third = await rig.step(caller, request);
    expect(again).toMatchObject({ kind: 'decided', ruling: { effect: 'allow', grant: { outputTokens: 100 } } });
    expect({ ...third, runDeadlineInMs: 0 }).toEqual({ ...again, runDeadlineInMs: 0 });
    expect(await ledgerOf(tenant, run)).toBe(before);
    expect(await accounts(tenant)).toEqual([{ unit: 'usd_micros', spent: 0n, reserved: 200n, over: 0n }]);
  });
});
