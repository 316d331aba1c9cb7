/**
 * Implements the auditor's view of Temporal with Temporal's client: three queries and one signal. Opens no connection
 * itself.
 */
import { WorkflowNotFoundError, type Client } from '@temporalio/client';
import type { TemporalView } from '../audit/reconcile/temporal-view.js';
import { CONTROL_QUEUES, GOVERNED_RUN, WITHOUT_RUN } from '../domain/executions.js';

const OUGHT_TO_OPEN = [
  `(${[...CONTROL_QUEUES.map((queue) => `TaskQueue = '${queue}'`), `WorkflowType = '${GOVERNED_RUN}'`].join(' OR ')})`,
  ...WITHOUT_RUN.map((type) => `WorkflowType != '${type}'`),
].join(' AND ');

export function temporalViewOf(client: Client): TemporalView {
  return {
    async describe(workflowId, temporalRunId) {
      try {
        const { status, runId } = await client.workflow.getHandle(workflowId, temporalRunId).describe();
        return { status: status.name, temporalRunId: runId };
      } catch (error) {
        if (error instanceof WorkflowNotFoundError) return { status: 'NOT_FOUND', temporalRunId: null };
        throw error;
      }
    },
    async signalFinalize(workflowId, temporalRunId, said) {
      try {
        await client.workflow.getHandle(workflowId, temporalRunId).signal('finalize_run', said);
        return true;
      } catch (error) {
        if (error instanceof WorkflowNotFoundError) return false;
        throw error;
      }
    },
    async *closedSince(after) {
      // Every governed workflow names its tenant once it is open, whatever its type.
      const query = `RokTenant IS NOT NULL AND ExecutionStatus != 'Running' AND CloseTime > '${after.toISOString()}'`;
      for await (const { workflowId, runId, status } of client.workflow.list({ query }))
        yield { workflowId, temporalRunId: runId, status: status.name };
    },
    async *executions({ after, until }) {
      // By when it is to begin: what was started with a delay, or by a cron schedule, is not late before that.
      const query = `${OUGHT_TO_OPEN} AND ExecutionTime > '${after.toISOString()}' AND ExecutionTime <= '${until.toISOString()}'`;
      for await (const { workflowId, runId, startTime, executionTime } of client.workflow.list({ query }))
        yield { workflowId, temporalRunId: runId, startedAt: executionTime ?? startTime };
    },
  };
}
