import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { HANGS } from './deployment.js';
import { ended, ledgerOf, revisionsOf, revisionsWhen, type Revision } from './evidence.js';
import { createFaultRig, type FaultRig, type RunHandle } from './rig.js';
import { until } from './until.js';
import type { WorkerProcess } from './worker-process.js';

describe('a workflow bundle is deployed that fails on every task', () => {
  let rig: FaultRig;
  let handle: RunHandle;
  let broken: WorkerProcess;
  let first: Revision | undefined;
  const missing = [
    'MISSING orchestrator/finalize_run: not acknowledged by <time>',
    'MISSING policies/evaluate_policy: not acknowledged by <time>',
  ];

  beforeAll(async () => {
    rig = await createFaultRig(HANGS);
    await rig.terms('acme', '5 seconds', '3 seconds');
    const [, good] = await Promise.all([rig.worker(['execute', 'audit']), rig.worker(['control'])]);
    handle = await rig.start('rok/acme/deployed', {}, { workflowTaskTimeout: '2s' });
    await rig.asked(1);
    await good.kill();
    broken = await rig.worker(['control'], {}, 'test/faults/broken-worker.ts');
    first = (await revisionsWhen(rig.stack, await rig.runOf('rok/acme/deployed'), () => true))[0];
  }, 120_000);
  afterAll(() => rig.close());

  it('its runs are STALE one sweep after they were due', () => {
    expect(first).toEqual({ revision: 1, status: 'STALE', blocking: missing, notes: [], signed: true });
  });

  it('and are repaired all the same, while their own workflow fails on', async () => {
    const run = await rig.runOf('rok/acme/deployed');
    expect(await ended(rig.stack, run, 60_000)).toEqual({ phase: 'FAILED', outcome: 'forced' });
    await revisionsWhen(rig.stack, run, ({ blocking }) => blocking.length > missing.length);
    const { revision: _n, ...last } = (await revisionsOf(rig.stack, run)).at(-1) ?? { revision: 0 };
    expect(last).toEqual({
      status: 'STALE',
      blocking: ['LATE orchestrator/finalize_run: due <time>, acknowledged <time>', ...missing],
      notes: [
        'LATE incidents/create_incident: due <time>, acknowledged <time>',
        'LATE policies/evaluate_policy: due <time>, acknowledged <time>',
        'UNKNOWN_RESULT step 1 attempt 1: fenced',
      ],
      signed: true,
    });
    expect(await ledgerOf(rig.stack, run)).toMatchObject({ reserved: 0n, over: 0n, drift: [] });
    // Temporal gives its task again and again, until a bundle comes that can do it.
    const { status } = await until('another attempt', async () => {
      const seen = await handle.describe();
      return (seen.raw.pendingWorkflowTask?.attempt ?? 0) > 1 ? seen : null;
    });
    expect(status.name).toBe('RUNNING');
    const { events } = await handle.fetchHistory();
    expect(events?.flatMap((event) => event.workflowTaskFailedEventAttributes?.failure?.message ?? [])).toContain(
      'this bundle is broken',
    );
  });

  it('and the worker that cannot do the task says so in its log, with the error', async () => {
    const line = await until('a line of it', () =>
      broken.lines.find((one) => one.includes('"Failing workflow task"') && one.includes('this bundle is broken')),
    );
    expect(JSON.parse(line)).toMatchObject({ level: 'warn', msg: 'Failing workflow task' });
  });
});
