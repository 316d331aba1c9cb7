/**
 * The scheduled reconciliation, on the audit worker's own task queue: sweep, signal overdue runs, find unclaimed
 * executions, check the sample. A part that fails is logged, does not stop the others, and is tried again by the next
 * schedule. It repairs nothing.
 */
import { log, proxyActivities } from '@temporalio/workflow';
import type { AuditActivities, ReconcileAnswer } from '../domain/protocol/audit.js';

/** A schedule-to-close on each, so that a `reconcile` always ends within its execution timeout of 5 minutes. */
const audit = proxyActivities<AuditActivities>({
  taskQueue: 'rok-audit',
  startToCloseTimeout: '30s',
  scheduleToCloseTimeout: '60s',
  retry: { initialInterval: '500ms', backoffCoefficient: 2, maximumInterval: '5s', maximumAttempts: 4 },
});

export async function reconcile(): Promise<ReconcileAnswer> {
  const nothing = { judged: 0, complete: 0, incomplete: 0, stale: 0, signed: 0 };
  const swept = await part('sweep', () => audit['audit.sweep']({}), nothing);
  const nudged = await part('nudge', () => audit['audit.signalOverdue']({}), { nudged: 0, closed: 0 });
  const { strays } = await part('strays', () => audit['audit.findUnclaimed']({}), { strays: 0 });
  await part('reverify', () => audit['audit.reverify']({}), { checked: 0, broken: 0 });
  return { ...swept, ...nudged, strays };
}

async function part<T>(what: string, work: () => Promise<T>, otherwise: T): Promise<T> {
  try {
    return await work();
  } catch (error) {
    log.error('a part of reconciling failed', { what, error: error instanceof Error ? error.message : 'unknown' });
    return otherwise;
  }
}
