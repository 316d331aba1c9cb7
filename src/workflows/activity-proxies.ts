/**
 * The powers' activities as a workflow calls them: decide and observe as local activities (a few milliseconds, no
 * history events except the marker), execute and audit as remote ones on their own task queues.
 */
import { proxyActivities, proxyLocalActivities, type LocalActivityOptions } from '@temporalio/workflow';
import type { AdministerActivities } from '../domain/protocol/administer.js';
import type { AuditActivities } from '../domain/protocol/audit.js';
import type { DecideActivities } from '../domain/protocol/decide.js';
import type { ExecuteActivities } from '../domain/protocol/execute.js';
import type { ObserveActivities } from '../domain/protocol/observe.js';
import type { ControlActivities } from '../domain/protocol/control.js';

const TASK_QUEUES = { execute: 'rok-execute', audit: 'rok-audit' } as const;

/** An outage becomes a durable timer after a second; what a timed-out act committed is found again by its key. */
const LOCAL: LocalActivityOptions = {
  startToCloseTimeout: '3s',
  localRetryThreshold: '1s',
  retry: { initialInterval: '100ms', backoffCoefficient: 2, maximumInterval: '5s' },
};

export const decide = proxyLocalActivities<DecideActivities>(LOCAL);
export const administering = proxyLocalActivities<AdministerActivities>(LOCAL);
export const control = proxyLocalActivities<ControlActivities>(LOCAL);
export const observe = proxyLocalActivities<ObserveActivities>(LOCAL);

/** The same within a time budget; what does not answer in it is given up. */
export const decideWithin = (ms: number): DecideActivities =>
  proxyLocalActivities<DecideActivities>({ ...LOCAL, scheduleToCloseTimeout: ms });
export const controlWithin = (ms: number): ControlActivities =>
  proxyLocalActivities<ControlActivities>({ ...LOCAL, scheduleToCloseTimeout: ms });
export const observeWithin = (ms: number): ObserveActivities =>
  proxyLocalActivities<ObserveActivities>({ ...LOCAL, scheduleToCloseTimeout: ms });

/** One try: every further one needs a decision of its own. */
export const executeStep = (summary: string): ExecuteActivities =>
  proxyActivities<ExecuteActivities>({
    taskQueue: TASK_QUEUES.execute,
    scheduleToStartTimeout: '60s',
    startToCloseTimeout: '15m',
    heartbeatTimeout: '10s',
    retry: { maximumAttempts: 1 },
    cancellationType: 'TRY_CANCEL',
    summary,
  });

/** Stores and acknowledges but calls nothing, so it may be repeated. */
export const executeSafely = proxyActivities<ExecuteActivities>({
  taskQueue: TASK_QUEUES.execute,
  startToCloseTimeout: '10s',
  retry: { initialInterval: '200ms', maximumInterval: '5s', nonRetryableErrorTypes: ['agent_unknown'] },
});
export const executeWithin = (ms: number): ExecuteActivities =>
  proxyActivities<ExecuteActivities>({
    taskQueue: TASK_QUEUES.execute,
    startToCloseTimeout: '5s',
    scheduleToCloseTimeout: ms,
    retry: { initialInterval: '200ms', maximumInterval: '2s' },
  });
export const auditWithin = (ms: number): AuditActivities =>
  proxyActivities<AuditActivities>({
    taskQueue: TASK_QUEUES.audit,
    startToCloseTimeout: '10s',
    scheduleToCloseTimeout: ms,
    retry: { initialInterval: '200ms', maximumInterval: '2s' },
  });
