import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { WorkflowFailedError } from '@temporalio/client';
import { ApplicationFailure } from '@temporalio/common';
import { uuidOf, type RunId } from '../../src/domain/ids.js';
import { finalizeRunSignal } from '../../src/workflows/messages/messages.js';
import { HANGS } from './deployment.js';
import { boundOf, decisionsOf, ended, ledgerOf, verdictOf, warrantsOf } from './evidence.js';
import { createFaultRig, type FaultRig, type RunHandle } from './rig.js';
import { until } from './until.js';

const failureOf = async (handle: { result(): Promise<unknown> }): Promise<{ type: unknown; message: string }> => {
  const error: unknown = await handle.result().then(
    () => null,
    (thrown: unknown) => thrown,
  );
  if (!(error instanceof WorkflowFailedError)) throw new Error(`not a failed workflow: ${String(error)}`);
  let cause: unknown = error.cause;
  while (cause instanceof Error && !(cause instanceof ApplicationFailure)) cause = cause.cause;
  if (!(cause instanceof ApplicationFailure)) throw new Error('no application failure');
  return { type: cause.type, message: cause.message };
};
const refusal = { type: 'not_this_history', message: 'another workflow execution is the history of this run' };

describe('hands from outside on the workflow of a run', () => {
  let rig: FaultRig;
  const refused = (run: RunId) =>
    rig.stack.admin.query('SELECT workflow_id, temporal_run_id, code FROM decide.refused_histories WHERE run_id = $1', [
      uuidOf(run),
    ]);
  const histories = (run: RunId) =>
    rig.stack.admin.query('SELECT workflow_id, reason FROM decide.histories WHERE run_id = $1 ORDER BY since', [
      uuidOf(run),
    ]);

  beforeAll(async () => {
    rig = await createFaultRig(HANGS);
    await rig.terms('harmed', '10 seconds', '20 seconds');
    await rig.worker(['control', 'execute', 'audit']);
  }, 120_000);
  afterAll(() => rig.close());

  describe('terminated while the model works', () => {
    let run: RunId;
    beforeAll(async () => {
      const handle = await rig.start('rok/harmed/terminated', { tenant: 'harmed' });
      run = await rig.runOf('rok/harmed/terminated');
      await rig.asked(1);
      await handle.terminate('by hand');
      await ended(rig.stack, run, 60_000);
    }, 120_000);

    it('is found closed, repaired and judged in time: FAILED, forced and COMPLETE', async () => {
      expect(await ended(rig.stack, run)).toEqual({ phase: 'FAILED', outcome: 'forced' });
      expect(await rig.stack.admin.query('SELECT status FROM audit.orphans WHERE run_id = $1', [uuidOf(run)])).toEqual([
        { status: 'TERMINATED' },
      ]);
      expect(await histories(run)).toEqual([
        { workflow_id: 'rok/harmed/terminated', reason: 'open' },
        { workflow_id: `rok-repair/${run}`, reason: 'repair' },
      ]);
      expect(await verdictOf(rig.stack, run)).toMatchObject({
        status: 'COMPLETE',
        revision: 1,
        blocking: [],
        notes: ['UNKNOWN_RESULT step 1 attempt 1'],
      });
    });

    it('the call nobody heard the end of is forfeited', async () => {
      const { micros } = await boundOf(rig.stack, run, 1, 1);
      expect(await warrantsOf(rig.stack, run)).toEqual([
        { at: '1.1', kind: 'model.call', state: 'forfeited', result: 'unknown', spent: micros },
      ]);
      expect(await ledgerOf(rig.stack, run)).toEqual({ spent: micros, reserved: 0n, over: 0n, drift: [] });
    });
  });

  describe.each([
    { to: 'its beginning', task: 0 },
    { to: 'after its opening', task: 1 },
  ])('reset to $to while the model works', ({ task }) => {
    const workflowId = `rok/harmed/reset-${task}`;
    let run: RunId;
    let original: RunHandle;
    let other: string;
    beforeAll(async () => {
      const before = rig.requests().length;
      original = await rig.start(workflowId, { tenant: 'harmed' });
      run = await rig.runOf(workflowId);
      await rig.asked(before + 1);
      // Too early, so only noted: one more workflow task to go back to.
      await original.signal(finalizeRunSignal, { by: 'test' });
      const tasks = await until('the second workflow task', async () => {
        const { events } = await original.fetchHistory();
        const done = events?.filter((event) => (event.workflowTaskCompletedEventAttributes ?? null) !== null) ?? [];
        return done.length < 2 ? null : done;
      });
      const reset = await rig.client.workflowService.resetWorkflowExecution({
        namespace: rig.stack.namespace,
        workflowExecution: { workflowId: original.workflowId, runId: original.firstExecutionRunId },
        workflowTaskFinishEventId: tasks[task]?.eventId ?? null,
        requestId: randomUUID(),
        reason: 'by hand',
      });
      other = reset.runId;
    }, 120_000);

    it('the new execution is refused and fails', async () => {
      expect(await failureOf(rig.client.workflow.getHandle(original.workflowId, other))).toEqual(refusal);
      expect(await refused(run)).toEqual([
        { workflow_id: workflowId, temporal_run_id: other, code: 'not_this_history' },
      ]);
      expect(await decisionsOf(rig.stack, run)).toEqual(['0.1 run.start allow', '1.1 model.call allow']);
    });

    it('the run itself is repaired and judged, and the other history wrote nothing of its own', async () => {
      expect(await ended(rig.stack, run, 60_000)).toEqual({ phase: 'FAILED', outcome: 'forced' });
      const { micros } = await boundOf(rig.stack, run, 1, 1);
      expect(await warrantsOf(rig.stack, run)).toEqual([
        { at: '1.1', kind: 'model.call', state: 'forfeited', result: 'unknown', spent: micros },
      ]);
      expect(
        await rig.stack.admin.query('SELECT outcome FROM execute.incident_occurrences WHERE run_id = $1', [
          uuidOf(run),
        ]),
      ).toEqual([{ outcome: 'forced' }]);
      expect(await verdictOf(rig.stack, run)).toMatchObject({
        status: 'COMPLETE',
        revision: 1,
        blocking: [],
        notes: [`REFUSED_HISTORY ${other}`, 'UNKNOWN_RESULT step 1 attempt 1'],
      });
    });
  });

  describe('taken for closed although it lives, and repaired', () => {
    it('its workflow meets the refusal at its own deadline, and ends', async () => {
      const before = rig.requests().length;
      const handle = await rig.start('rok/harmed/alive', { tenant: 'harmed' });
      const run = await rig.runOf('rok/harmed/alive');
      await rig.asked(before + 1);
      await rig.stack.admin.query(`INSERT INTO audit.orphans (run_id, status) VALUES ($1, 'NOT_FOUND')`, [uuidOf(run)]);
      expect(await ended(rig.stack, run)).toEqual({ phase: 'FAILED', outcome: 'forced' });
      expect(await failureOf(handle)).toEqual(refusal);
      const noted = `REFUSED_HISTORY ${handle.firstExecutionRunId}`;
      expect(await verdictOf(rig.stack, run, ({ notes }) => notes.includes(noted))).toMatchObject({
        status: 'COMPLETE',
        blocking: [],
        notes: [noted, 'UNKNOWN_RESULT step 1 attempt 1'],
      });
    });
  });

  describe('a second workflow for the same run', () => {
    it('is refused, and the verdict of the run names it in a new revision', async () => {
      const spec = { agent: 'greeter', id: 'once', input: 'hello' };
      const first = await rig.start('rok/acme/once', spec);
      const result = await first.result();
      expect(result).toMatchObject({ phase: 'COMPLETED', outcome: 'succeeded', verdict: 'COMPLETE' });
      const { revision } = await verdictOf(rig.stack, result.run);
      expect(revision).toBe(1);

      const second = await rig.start('rok/acme/twice', spec);
      expect(await failureOf(second)).toEqual(refusal);
      expect(await refused(result.run)).toEqual([
        { workflow_id: 'rok/acme/twice', temporal_run_id: second.firstExecutionRunId, code: 'not_this_history' },
      ]);
      expect(await verdictOf(rig.stack, result.run, (verdict) => verdict.revision > 1)).toMatchObject({
        status: 'COMPLETE',
        revision: 2,
        blocking: [],
        notes: [`REFUSED_HISTORY ${second.firstExecutionRunId}`],
      });
    });

    it('cannot take the name of one that is over', async () => {
      await expect(rig.start('rok/acme/once', { agent: 'greeter', id: 'once' })).rejects.toMatchObject({
        name: 'WorkflowExecutionAlreadyStartedError',
      });
    });
  });
});
