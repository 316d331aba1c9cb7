/**
 * Starts `repair` for runs that cannot end themselves, when the audit reports them STALE or their workflow closed. The
 * audit only reports; deciding and executing end the run, and `decide.repair` checks the report again.
 */
import { WorkflowExecutionAlreadyStartedError, type Client } from '@temporalio/client';
import { runIdOf } from '../domain/ids.js';
import type { Sql } from '../domain/sql.js';
import type { Logger } from '../platform/logging.js';

const POLL_MS = 3_000;
const PAGE = 50;

type Due = { readonly run_id: string; readonly reason: 'stale' | 'workflow_closed' };

export function startRepairs(client: Client, sql: Sql, log: Logger, sweepMs = POLL_MS): { stop(): Promise<void> } {
  const stopping = new AbortController();
  let wake: () => void = () => undefined;
  const loop = (async () => {
    while (!stopping.signal.aborted) {
      await round(client, sql, log);
      await new Promise<void>((resolve) => {
        wake = resolve;
        setTimeout(resolve, Math.min(sweepMs, POLL_MS));
      });
    }
  })();
  return {
    stop: () => {
      stopping.abort();
      wake();
      return loop;
    },
  };
}

async function round(client: Client, sql: Sql, log: Logger): Promise<void> {
  try {
    const due = await sql.query<Due>(
      `SELECT r.run_id, CASE WHEN v.run_id IS NULL THEN 'workflow_closed' ELSE 'stale' END AS reason
      FROM decide.runs r
      LEFT JOIN audit.v_verdicts v ON v.run_id = r.run_id AND v.status = 'STALE'
      LEFT JOIN audit.v_orphans o ON o.run_id = r.run_id
      WHERE r.phase NOT IN ('COMPLETED', 'FAILED') AND (v.run_id IS NOT NULL OR o.run_id IS NOT NULL)
        -- What policies refused is asked again, but not at every look.
        AND NOT EXISTS (SELECT FROM decide.decisions d WHERE d.run_id = r.run_id AND d.kind = 'run.repair'
          AND d.effect <> 'allow' AND d.decided_at > clock_timestamp() - interval '10 minutes')
      -- In no order, so that fifty that cannot be repaired stand in front of nobody.
      ORDER BY random() LIMIT $1`,
      [PAGE],
    );
    for (const { run_id: uuid, reason } of due) await start(client, uuid, reason, log);
  } catch (error) {
    log.warn({ err: error }, 'repairs not looked for; tried again');
  }
}

async function start(client: Client, uuid: string, reason: Due['reason'], log: Logger): Promise<void> {
  const run = runIdOf(uuid);
  try {
    await client.workflow.start('repair', {
      taskQueue: 'rok-control',
      workflowId: `rok-repair/${run}`,
      args: [{ run, reason }],
      staticSummary: `repair ${run}: ${reason}`,
    });
    log.info({ run, reason }, 'repair started');
  } catch (error) {
    // Another control worker, or the last round, was faster.
    if (!(error instanceof WorkflowExecutionAlreadyStartedError)) throw error;
  }
}
