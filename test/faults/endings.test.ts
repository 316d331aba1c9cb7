/** Every way a run can end that no worker's death is needed for, and what is true of it afterwards, whole. */
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { uuidOf } from '../../src/domain/ids.js';
import { createOwnStack, type OwnStack } from '../stack/stack.js';
import { HANGS } from './deployment.js';
import { decisionsOf, driftOf, ended, revisionsOf, revisionsWhen, warrantsOf } from './evidence.js';
import { createFaultRig, type FaultRig, type RunHandle, type StartOptions } from './rig.js';
import { until } from './until.js';

type Ending = {
  readonly how: string;
  readonly agent: 'greeter' | 'stumbler' | 'outcast' | 'clerk';
  readonly options?: StartOptions;
  /** What befalls it from outside while the model works. */
  readonly harm?: (rig: FaultRig, handle: RunHandle) => Promise<unknown>;
  readonly end: { readonly phase: string; readonly outcome: unknown };
  readonly decisions: readonly string[];
  readonly notes: readonly unknown[];
  /** As Temporal said of a workflow that closed under its run. */
  readonly orphan?: string;
};

const start = '0.1 run.start allow';
const call = '1.1 model.call allow';
const outcome = '2.1 run.outcome allow';
const repaired = ['2.1 run.repair allow', '3.1 run.outcome allow'];
const failed = (as: unknown): Ending['end'] => ({ phase: 'FAILED', outcome: as });
/** Whoever is first: the run's own timer, or the sweep that tells it to finalize. */
const expired: unknown = expect.stringMatching(/^(expired|forced)$/);
/** Whoever is first: the executor that was told to stop, or the close that waits for nobody. */
const unknown: unknown = expect.stringMatching(/^UNKNOWN_RESULT step 1 attempt 1: (aborted|fenced)$/);

const ENDINGS: readonly Ending[] = [
  {
    how: 'accepted by Temporal while PostgreSQL was down',
    agent: 'greeter',
    end: { phase: 'COMPLETED', outcome: 'succeeded' },
    decisions: [start, call, outcome],
    notes: [],
  },
  {
    how: 'failed in an orderly way',
    agent: 'stumbler',
    end: failed('failed'),
    decisions: [start, call, outcome],
    notes: [],
  },
  {
    how: 'denied at its start',
    agent: 'outcast',
    end: failed('denied'),
    decisions: ['0.1 run.start deny', '1.1 run.outcome allow'],
    notes: [],
  },
  {
    how: 'cancelled from outside',
    agent: 'clerk',
    harm: (_rig, handle) => handle.cancel(),
    end: failed('cancelled'),
    decisions: [start, call, outcome],
    notes: [unknown],
  },
  {
    how: 'past its own deadline',
    agent: 'clerk',
    end: failed(expired),
    decisions: [start, call, outcome],
    notes: [unknown],
  },
  {
    how: 'timed out by a limit that somebody set at Temporal',
    agent: 'clerk',
    options: { workflowExecutionTimeout: '4s' },
    end: failed('forced'),
    decisions: [start, call, ...repaired],
    notes: [unknown],
    orphan: 'TIMED_OUT',
  },
  {
    how: 'deleted at Temporal',
    agent: 'clerk',
    harm: ({ client, stack: { namespace } }, { workflowId, firstExecutionRunId: runId }) =>
      client.workflowService.deleteWorkflowExecution({ namespace, workflowExecution: { workflowId, runId } }),
    end: failed('forced'),
    decisions: [start, call, ...repaired],
    notes: [unknown],
    orphan: 'NOT_FOUND',
  },
];

describe('a run that was', () => {
  let rig: FaultRig<OwnStack>;
  const idOf = ({ how }: Ending): string => `rok/harmed/${how.replaceAll(' ', '-')}`;

  beforeAll(async () => {
    rig = await createFaultRig(HANGS, () => createOwnStack());
    await rig.terms('harmed', '8 seconds', '20 seconds');
    await rig.worker(['control', 'execute', 'audit']);
    const begin = (one: Ending): Promise<RunHandle> =>
      rig.start(idOf(one), { tenant: 'harmed', agent: one.agent }, one.options);
    const [first, ...others] = ENDINGS;
    if (first === undefined) throw new Error('no endings');
    await rig.stack.postgres.stop();
    const waiting = await begin(first);
    // An outage becomes a durable timer.
    await until('a timer in its history', async () =>
      (await waiting.fetchHistory()).events?.find((event) => (event.timerStartedEventAttributes ?? null) !== null),
    );
    await rig.stack.restartPostgres();
    await Promise.all(
      others.map(async (one) => {
        const handle = await begin(one);
        const run = await rig.runOf(idOf(one));
        if (one.harm === undefined) return;
        await until('its call', async () => {
          const [row] = await rig.stack.admin.query('SELECT 1 FROM execute.attempts WHERE run_id = $1', [uuidOf(run)]);
          return row;
        });
        await one.harm(rig, handle);
      }),
    );
  }, 120_000);
  afterAll(() => rig.close());

  it.each(ENDINGS)('$how', async (one) => {
    const run = await rig.runOf(idOf(one));
    expect(await ended(rig.stack, run, 60_000)).toEqual(one.end);
    await revisionsWhen(rig.stack, run, () => true);
    expect(await revisionsOf(rig.stack, run)).toEqual([
      { revision: 1, status: 'COMPLETE', blocking: [], notes: one.notes, signed: true },
    ]);
    expect(await decisionsOf(rig.stack, run)).toEqual(one.decisions);
    const { admin } = rig.stack;
    expect(await driftOf(rig.stack)).toEqual([]);
    expect((await warrantsOf(rig.stack, run)).filter(({ state }) => ['issued', 'redeemed'].includes(state))).toEqual(
      [],
    );
    expect(await admin.query('SELECT status FROM audit.orphans WHERE run_id = $1', [uuidOf(run)])).toEqual(
      one.orphan === undefined ? [] : [{ status: one.orphan }],
    );
    expect(
      await admin.query('SELECT outcome FROM execute.incident_occurrences WHERE run_id = $1', [uuidOf(run)]),
    ).toEqual(one.end.outcome === 'succeeded' ? [] : [{ outcome: one.end.outcome }]);
  });
});
