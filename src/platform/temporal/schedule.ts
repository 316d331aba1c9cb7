/**
 * Temporal's schedule for `reconcile`. The audit worker asserts it repeatedly and undoes any change, except a pause,
 * which is somebody's decision and is only reported.
 */
import {
  ScheduleAlreadyRunning,
  ScheduleNotFoundError,
  ScheduleOverlapPolicy,
  type Client,
  type ScheduleOptions,
} from '@temporalio/client';

export const RECONCILE_SCHEDULE = 'rok-reconcile';

export type ReconcileScheduleOptions = { readonly everyMs: number };
export type ScheduleState = {
  readonly created: boolean;
  /** Somebody paused it: the standing judge still judges, but nobody nudges and nobody looks for strays. */
  readonly paused: boolean;
};

export async function assertReconcileSchedule(
  client: Client,
  { everyMs }: ReconcileScheduleOptions,
): Promise<ScheduleState> {
  const wanted = {
    spec: { intervals: [{ every: everyMs }] },
    action: {
      type: 'startWorkflow' as const,
      workflowType: 'reconcile',
      workflowId: RECONCILE_SCHEDULE,
      taskQueue: 'rok-audit',
      args: [],
      workflowExecutionTimeout: '5 minutes',
    },
    // The next one finds what a skipped one would have found, so a backlog after an outage is worth one minute.
    policies: { overlap: ScheduleOverlapPolicy.SKIP, catchupWindow: '1 minute' },
  } satisfies Omit<ScheduleOptions, 'scheduleId'>;
  const handle = client.schedule.getHandle(RECONCILE_SCHEDULE);
  try {
    await handle.update(({ state }) => ({ ...wanted, state }));
    return { created: false, paused: (await handle.describe()).state.paused };
  } catch (error) {
    if (!(error instanceof ScheduleNotFoundError)) throw error;
  }
  try {
    await client.schedule.create({ scheduleId: RECONCILE_SCHEDULE, ...wanted });
    return { created: true, paused: false };
  } catch (error) {
    // Another audit worker was faster, with the same wishes.
    if (!(error instanceof ScheduleAlreadyRunning)) throw error;
    return { created: false, paused: (await handle.describe()).state.paused };
  }
}
