/** The executing power's part of the close: evaluation, incident and their acks, in one transaction. */
import type { CloseOut } from '../../domain/protocol/execute.js';
import type { ExecuteDeps } from '../deps.js';
import { reportFailure } from './incident-engine.js';
import { recordEvaluation } from './policy-engine.js';

/** Idempotent; returns what is acknowledged now. */
export async function closeOut(
  { database, log, crashAt }: Pick<ExecuteDeps, 'database' | 'log' | 'crashAt'>,
  input: CloseOut,
): Promise<{ readonly acked: readonly string[] }> {
  const { acked, newIncident } = await database.transaction(async (sql) => {
    const evaluated = await recordEvaluation(sql, input);
    crashAt?.('close_out.evaluated');
    const reported = await reportFailure(sql, input);
    return { acked: [...evaluated, ...reported.acked], newIncident: reported.newIncident };
  });
  if (newIncident !== null) {
    const { run, tenant, agent, outcome } = input;
    log.warn({ run, tenant, agent, outcome, incident: newIncident }, 'new incident');
  }
  return { acked };
}
