/**
 * Several holds of one run, each act a transaction as login rok_decide, side by side and in any order: each ends once, and the
 * deadlines are what was declared and the time in which at least one was open.
 */
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { randomUUID } from 'node:crypto';
import type { Caller } from '../../src/decide/actors/caller.js';
import { latch } from '../../src/decide/lifecycle/close.js';
import { endHold, openHold, type HoldRow } from '../../src/decide/lifecycle/holds.js';
import { lockRun } from '../../src/decide/rows/run-row.js';
import { access, hold, resolve } from '../../src/decide/actors/act.js';
import { iso, uuidOf, type Digest, type RunId } from '../../src/domain/ids.js';
import type { Sql } from '../../src/domain/sql.js';
import { heldMs } from '../audit/model.js';
import { proofSize } from '../proof-size.js';
import { createStepRig, modelCall, type StepRig } from './step-rig.js';

let rig: StepRig;
beforeAll(async () => {
  rig = await createStepRig();
  await rig.stack.admin.query(`INSERT INTO audit.terms VALUES ('short', '*', '10 minutes', '1 minute', '20 minutes')`);
});
afterAll(() => rig.close());

type Opened = { readonly run: RunId; readonly caller: Caller };
const open = async (): Promise<Opened> => {
  const caller = { workflowId: `rok/short/${randomUUID()}`, temporalRunId: randomUUID() };
  return { run: (await rig.open({ tenant: 'short' }, caller)).opened.run, caller };
};
const digestOf = (step: number): Digest => step.toString(16).padStart(64, 'd') as Digest;
const MINUTE_MS = 60_000;

const locked = <T>({ run, caller }: Opened, work: (sql: Sql) => Promise<T>): Promise<T> =>
  rig.as(async (sql) => {
    await lockRun(sql, run, caller);
    return work(sql);
  });
const held = (opened: Opened, step: number, longMs: number, over: object = {}): Promise<HoldRow> =>
  locked(opened, (sql) =>
    openHold(sql, opened.run, {
      step,
      attempt: 1,
      actionDigest: digestOf(step),
      terms: {
        reason: 'APPROVAL_REQUIRED',
        authority: 'finance',
        quorum: 1,
        until: iso(new Date(Date.now() + longMs).toISOString()),
        onTimeout: 'terminate',
        ...over,
      },
      by: 'policy',
    }),
  );
const answered = ({ run, caller }: Opened, verb: 'approve' | 'reject', number: number, step: number, by = 'bob') =>
  rig.as((sql) =>
    access(
      sql,
      rig.deps,
      { history: caller },
      {
        run,
        verb,
        updateId: randomUUID(),
        claim: { local: by, roles: ['approver:finance'] },
        hold: number,
        digest: digestOf(step),
      },
    ),
  );
const timedOut = ({ run, caller }: Opened, number: number) =>
  rig.as((sql) => resolve(sql, caller, { run, hold: number, resolution: 'timed_out' }));

type Seen = {
  readonly hold: number;
  readonly step: number;
  readonly from: number;
  readonly until: number;
  readonly resolved: number | null;
  readonly resolution: string | null;
};
const US = (column: string): string => `(extract(epoch FROM ${column}) * 1000000)::float8`;
const holdsOf = ({ run }: Opened): Promise<readonly Seen[]> =>
  rig.decide.query<Seen>(
    `SELECT hold, step, ${US('opened_at')} AS from, ${US('until')} AS until, ${US('resolved_at')} AS resolved, resolution
    FROM decide.holds WHERE run_id = $1 ORDER BY hold`,
    [uuidOf(run)],
  );
/** In microseconds. */
const deadlinesOf = async ({ run }: Opened) => {
  const [row] = await rig.stack.admin.query<
    Readonly<Record<'run' | 'contract' | 'declared' | 'due' | 'late' | 'grace', number>>
  >(
    `SELECT ${US('r.run_deadline')} AS run, ${US('c.run_deadline')} AS contract, ${US('c.declared_run_deadline')} AS declared,
      ${US('c.finalize_due')} AS due, ${US('c.expires_at')} AS late,
      ${US('c.declared_finalize_due')} - ${US('c.declared_run_deadline')} AS grace
    FROM decide.runs r JOIN audit.contracts c USING (run_id) WHERE r.run_id = $1`,
    [uuidOf(run)],
  );
  if (row === undefined) throw new Error('no such run');
  return row;
};
async function expectUnion(opened: Opened): Promise<void> {
  const { run, contract, declared, due, late, grace } = await deadlinesOf(opened);
  const open = (await holdsOf(opened)).map(({ from, until, resolved }) => ({
    fromMs: from,
    untilMs: Math.max(from, Math.min(until, resolved ?? until)),
  }));
  expect(due).toBe(Math.min(declared + grace + heldMs(open), late));
  expect([run, contract]).toEqual([due - grace, due - grace]);
  expect(due).toBeLessThanOrEqual(late);
}

describe('several holds of one run', () => {
  it('in whatever order they are opened, answered and timed out: each ends once, and the deadline moves by their union', async () => {
    const step = fc.integer({ min: 1, max: 4 });
    const act = fc.oneof(
      fc.record({
        act: fc.constant('open' as const),
        step,
        longMs: fc.constantFrom(1, MINUTE_MS, 15 * MINUTE_MS, 7_200_000),
      }),
      fc.record({ act: fc.constantFrom('approve' as const, 'reject' as const, 'time' as const, 'end' as const), step }),
    );
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.array(act, { minLength: 1, maxLength: 3 }), { minLength: 1, maxLength: 6 }),
        async (rounds) => {
          const opened = await open();
          let before: readonly Seen[] = [];
          for (const together of rounds) {
            await Promise.all(
              together.map(async (one) => {
                if (one.act === 'open') return held(opened, one.step, one.longMs);
                const meant = before.find((each) => each.step === one.step);
                if (meant === undefined) return undefined;
                if (one.act === 'time') return timedOut(opened, meant.hold);
                if (one.act === 'end') return locked(opened, (sql) => endHold(sql, opened.run, meant, 'ended'));
                return answered(opened, one.act, meant.hold, one.step);
              }),
            );
            const after = await holdsOf(opened);
            for (const was of before.filter(({ resolution }) => resolution !== null)) expect(after).toContainEqual(was);
            expect(new Set(after.map((each) => each.step)).size).toBe(after.length);
            await expectUnion(opened);
            before = after;
          }
        },
      ),
      { numRuns: proofSize({ quick: 15, full: 1_000 }) },
    );
  }, 600_000);

  it('one after the other never push the run past the end of its contract', async () => {
    const opened = await open();
    for (let step = 1; step <= 5; step += 1) {
      const { hold: number } = await held(opened, step, 15 * MINUTE_MS);
      await expectUnion(opened);
      const { due, late } = await deadlinesOf(opened);
      expect(due).toBe(late);
      await answered(opened, 'approve', number, step);
      await expectUnion(opened);
      expect((await deadlinesOf(opened)).due).toBeLessThan(late);
    }
  });

  it('are of one key each: asked for again, open or ended, it is the same; with another reason, step or attempt another', async () => {
    const opened = await open();
    const first = await held(opened, 1, MINUTE_MS);
    const again = await held(opened, 1, 2 * MINUTE_MS);
    expect({ ...again, remaining_ms: 0 }).toEqual({ ...first, remaining_ms: 0 });
    expect((await held(opened, 1, MINUTE_MS, { reason: 'BUDGET' })).hold).toBe(2);
    expect((await held(opened, 2, MINUTE_MS)).hold).toBe(3);
    await answered(opened, 'approve', 1, 1);
    expect(await held(opened, 1, MINUTE_MS)).toMatchObject({ hold: 1, resolution: 'approved' });
    expect((await holdsOf(opened)).map((one) => one.hold)).toEqual([1, 2, 3]);
  });

  it('by hand is one at a time, and after it another; of unknown results one for each attempt', async () => {
    const opened = await open();
    const by = (reason: 'MANUAL' | 'UNKNOWN_RESULT', step: number, attempt: number) =>
      rig.as((sql) => hold(sql, opened.caller, { run: opened.run, step, attempt, reason, by: 'olga' }));
    expect(await by('MANUAL', 3, 1)).toMatchObject({ hold: 1, resolution: null });
    expect(await by('MANUAL', 3, 1)).toMatchObject({ hold: 1, resolution: null });
    expect(await by('MANUAL', 3, 2)).toMatchObject({ hold: 1 });
    expect(await by('UNKNOWN_RESULT', 3, 1)).toMatchObject({ hold: 2 });
    expect(await by('UNKNOWN_RESULT', 4, 1)).toMatchObject({ hold: 3 });
    await rig.as((sql) => endHold(sql, opened.run, { hold: 1 }, 'resumed'));
    expect(await by('MANUAL', 3, 1)).toMatchObject({ hold: 1, resolution: 'resumed' });
    expect(await by('MANUAL', 3, 2)).toMatchObject({ hold: 4, resolution: null });
    await expectUnion(opened);
  });

  it('answered late, twice, or with the digest of the other is refused, and the first answer stands', async () => {
    const opened = await open();
    const [one, two] = [await held(opened, 1, MINUTE_MS), await held(opened, 2, MINUTE_MS)];
    for (const [number, step] of [
      [one.hold, 2],
      [two.hold, 1],
    ] as const)
      for (const verb of ['approve', 'reject'] as const)
        expect(await answered(opened, verb, number, step)).toMatchObject({
          allowed: false,
          reason: { rule: 'access.state' },
        });
    const same = await Promise.all([answered(opened, 'approve', 1, 1), answered(opened, 'reject', 2, 2)]);
    expect(same).toMatchObject([{ resolution: 'approved' }, { resolution: 'rejected' }]);
    for (const number of [1, 2])
      expect(await answered(opened, 'approve', number, number, 'carol')).toMatchObject({ allowed: false });
    expect((await holdsOf(opened)).map(({ resolution }) => resolution)).toEqual(['approved', 'rejected']);
  });

  it('all end with the run, which says how each of them ended', async () => {
    const opened = await open();
    for (const step of [1, 2, 3]) await held(opened, step, MINUTE_MS);
    await answered(opened, 'approve', 2, 2);
    const { run, caller } = opened;
    const latched = await rig.as((sql) =>
      latch(sql, rig.deps, caller, { run, outcome: 'killed', detail: '', answer: null }),
    );
    expect(latched.holds).toEqual([
      { hold: 1, resolution: 'ended' },
      { hold: 2, resolution: 'approved' },
      { hold: 3, resolution: 'ended' },
    ]);
    await expectUnion(opened);
  });

  it('a decision asked again while its hold is open has the same hold', async () => {
    await rig.decide.query(
      `INSERT INTO decide.budgets (scope, subject, unit, time_window, cap, on_breach) VALUES ('tenant', 'poor', 'usd_micros', 'month', 1, 'pause')`,
    );
    const caller = { workflowId: `rok/poor/${randomUUID()}`, temporalRunId: randomUUID() };
    const { opened } = await rig.open({ tenant: 'poor' }, caller);
    const asks = async (step: number) =>
      rig.step(caller, await modelCall(rig, opened.run, step, { tokens: 200, output: 10 }));
    expect([await asks(1), await asks(2), await asks(1), await asks(2)]).toMatchObject([
      { hold: 1 },
      { hold: 2 },
      { hold: 1 },
      { hold: 2 },
    ]);
  });
});

describe('the database takes no hold', () => {
  const row = { step: 1, attempt: 1, digest: digestOf(1), reason: 'BUDGET', resolution: null as string | null };
  it.each([
    ['of no step', { step: null }, '23502'],
    ['of no attempt', { attempt: 0 }, '23514'],
    ['of an action that is not named', { digest: null }, '23514'],
    ['by hand of an action', { reason: 'MANUAL' }, '23514'],
    ['for an approval that a raise ended', { reason: 'APPROVAL_REQUIRED', resolution: 'raised' }, '23514'],
    ['of an action that was resumed', { resolution: 'resumed' }, '23514'],
    ['twice', {}, '23505'],
    ['that pauses what is paused', { step: 2, digest: null, reason: 'MANUAL' }, '23505'],
  ] as const)('%s', async (_name, over, code) => {
    const { run } = await open();
    const insert = (number: number, one: { readonly [name in keyof typeof row]: unknown }) =>
      rig.stack.admin.query(
        `INSERT INTO decide.holds (run_id, hold, step, attempt, action_digest, reason, authority, quorum, opened_by, until, on_timeout, resolution, resolved_at)
        VALUES ($1, $2, $3, $4, $5, $6, 'finance', 1, 'policy', now() + interval '1 hour', 'terminate', $7::text, CASE WHEN $7::text IS NOT NULL THEN now() END)`,
        [uuidOf(run), number, one.step, one.attempt, one.digest, one.reason, one.resolution],
      );
    await insert(1, row);
    await insert(2, { ...row, digest: null, reason: 'MANUAL' });
    await expect(insert(3, { ...row, ...over })).rejects.toMatchObject({ code });
  });
});
