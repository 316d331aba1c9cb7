/** Signals runs past their deadline to close, and records those whose workflow can no longer receive a signal. */
import type { Sql } from '../../domain/sql.js';
import type { AuditLog } from '../log.js';
import { overdueRuns, recordOrphan } from './overdue.js';
import { overdueStep } from './overdue-plan.js';
import type { TemporalView } from './temporal-view.js';

const LIMIT = 500;

/** One run that cannot be asked about delays no other. @throws AggregateError of those, after the rest was done */
export async function signalOverdue(
  sql: Sql,
  temporal: TemporalView,
  log: AuditLog,
): Promise<{ readonly nudged: number; readonly closed: number }> {
  let nudged = 0;
  let closed = 0;
  const failures: unknown[] = [];
  for (const overdue of await overdueRuns(sql, LIMIT)) {
    try {
      let seen = await temporal.describe(overdue.workflowId, overdue.temporalRunId);
      let step = overdueStep(seen.status);
      if (step.do === 'look at the latest') {
        seen = await temporal.describe(overdue.workflowId);
        step = overdueStep(seen.status);
      }
      if (
        step.do === 'signal' &&
        (await temporal.signalFinalize(overdue.workflowId, seen.temporalRunId ?? overdue.temporalRunId, {
          by: 'reconcile',
        }))
      )
        nudged += 1;
      if (step.do === 'record as orphan' && (await recordOrphan(sql, overdue, seen.status))) {
        closed += 1;
        log.warn({ run: overdue.run, status: seen.status }, 'the workflow of an open run is closed or gone');
      }
    } catch (error) {
      failures.push(error);
    }
  }
  if (failures.length > 0)
    throw new AggregateError(failures, `${failures.length} overdue runs could not be asked about`);
  return { nudged, closed };
}
