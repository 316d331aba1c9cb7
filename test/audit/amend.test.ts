/** The deadlines in force: what was declared and the time in which at least one hold was open, within the contract's life. */
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import type { OpenDatabase } from '../../src/platform/postgres/database.js';
import { proofSize } from '../proof-size.js';
import { createStack, type Stack } from '../stack/stack.js';
import { aRun, newRun, TRACE_ACK } from './facts.js';
import { openAs } from './judged.js';
import { heldMs } from './model.js';
import { plant } from './plant.js';

let stack: Stack;
let decide: OpenDatabase;
beforeAll(async () => {
  stack = await createStack();
  decide = await openAs(stack, 'decide');
});
afterAll(async () => {
  await decide.close();
  await stack.drop();
});

type Declared = { readonly run_deadline: string; readonly finalize_due: string; readonly expires_at: string };
const declare = async (run: string): Promise<Declared> => {
  const [row] = await decide.query<Declared>(
    `SELECT run_deadline, finalize_due, expires_at FROM audit.declare($1, 'acme', 'desk', 'STANDARD', NULL)`,
    [run],
  );
  if (row === undefined) throw new Error('nothing was declared');
  return row;
};
/** Minutes after some moment. */
const amend = async (run: string, hold: number, reason: string, from: number, until: number) => {
  const [row] = await decide.query<{ run_deadline: string; finalize_due: string }>(
    `SELECT * FROM audit.amend($1, 1, 1, $2, $3, '2026-01-01Z'::timestamptz + $4 * interval '1 minute',
      '2026-01-01Z'::timestamptz + $5 * interval '1 minute')`,
    [run, hold, reason, from, until],
  );
  return row;
};
const seconds = (from: string, to: string): number => Math.round((Date.parse(to) - Date.parse(from)) / 1000);

describe('amending', () => {
  it('moves both deadlines, gives back, and is idempotent per hold and reason', async () => {
    const run = newRun();
    const { run_deadline, finalize_due } = await declare(run);
    const held = await amend(run, 1, 'hold_opened', 0, 10);
    expect([seconds(run_deadline, held?.run_deadline ?? ''), seconds(finalize_due, held?.finalize_due ?? '')]).toEqual([
      600, 600,
    ]);
    expect(await amend(run, 1, 'hold_opened', 0, 10)).toEqual(held);
    const back = await amend(run, 1, 'hold_ended', 0, 6);
    expect([seconds(run_deadline, back?.run_deadline ?? ''), seconds(finalize_due, back?.finalize_due ?? '')]).toEqual([
      360, 360,
    ]);
    const [row] = await stack.admin.query(
      'SELECT judge_after = finalize_due AS moved FROM audit.contracts WHERE run_id = $1',
      [run],
    );
    expect(row).toEqual({ moved: true });
  });
  it('never passes expires_at, gives back only what was taken, and never shortens what was declared', async () => {
    const run = newRun();
    const { run_deadline, finalize_due, expires_at } = await declare(run);
    const capped = await amend(run, 1, 'hold_opened', 0, 30 * 1440);
    expect([capped?.finalize_due, seconds(capped?.run_deadline ?? '', capped?.finalize_due ?? '')]).toEqual([
      expires_at,
      60,
    ]);
    const back = await amend(run, 1, 'hold_ended', 0, -1);
    expect(back).toEqual({ run_deadline, finalize_due });
    expect(await amend(run, 2, 'hold_ended', 0, -1)).toEqual({ run_deadline, finalize_due });
  });
  it('of any holds moves both by the time in which at least one was open, as naively counted, and never past expires_at', async () => {
    const hold = fc.record({ from: fc.nat(120), long: fc.nat(90), used: fc.option(fc.nat(120), { nil: null }) });
    await fc.assert(
      fc.asyncProperty(fc.array(hold, { minLength: 1, maxLength: 8 }), fc.integer(), async (holds, seed) => {
        const run = newRun();
        const { run_deadline, finalize_due, expires_at } = await declare(run);
        const asks = holds.flatMap(({ from, long, used }, at) => [
          { at, reason: 'hold_opened', from, until: from + long },
          ...(used === null ? [] : [{ at, reason: 'hold_ended', from, until: from + used }]),
        ]);
        // The openings in whatever order, so that an end may come before its opening too.
        const shuffled = [...asks].sort((a, b) => ((a.from + a.until + seed) % 7) - ((b.from + b.until + seed) % 7));
        let last;
        for (const one of shuffled) last = await amend(run, one.at + 1, one.reason, one.from, one.until);
        const minutes = heldMs(
          holds.map(({ from, long, used }) => ({ fromMs: from, untilMs: from + Math.min(long, used ?? long) })),
        );
        const moved = [
          seconds(run_deadline, last?.run_deadline ?? ''),
          seconds(finalize_due, last?.finalize_due ?? ''),
        ];
        expect(moved).toEqual([minutes * 60, minutes * 60]);
        expect((last?.finalize_due ?? '') <= expires_at).toBe(true);
      }),
      { numRuns: proofSize({ quick: 40, full: 1_000 }) },
    );
  });
  it('changes nothing for a run that is final or overdue', async () => {
    const run = newRun();
    const { run_deadline, finalize_due } = await declare(run);
    await decide.query(`SELECT audit.ack($1, 'orchestrator', 'finalize_run', 'done', '{}')`, [run]);
    expect(await amend(run, 1, 'hold_opened', 0, 10)).toEqual({ run_deadline, finalize_due });
    const late = aRun({ finalizeDueMs: -1_000, acks: [TRACE_ACK] });
    const base = await plant(stack.admin, [late]);
    expect(seconds(base.toISOString(), (await amend(late.run, 1, 'hold_opened', 0, 10))?.finalize_due ?? '')).toBe(-1);
  });
});
