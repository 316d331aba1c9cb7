/**
 * Sends the signal `finalize_run`. A signal has no answer, so for an act with an assertion the client reads the answer
 * that the deciding power recorded.
 */
import { randomUUID } from 'node:crypto';
import type { WorkflowHandle } from '@temporalio/client';
import { claimOf, type Act } from './actor-claims.js';
import { notFor } from '../domain/assertion-claims.js';
import { RokError } from '../domain/errors.js';
import { uuidOf } from '../domain/ids.js';
import type { Reader } from '../reader/read.js';
import { toRokError } from '../platform/temporal/temporal-failure.js';
import type { FinalizeRun } from '../workflows/messages/messages.js';

const ANSWERED_WITHIN_MS = 30_000;
const POLL_MS = 200;

/** @throws RokError actor_refused where the act was refused, still_open where nobody answered */
export async function sendFinalize(
  handle: WorkflowHandle,
  by: string,
  act: Act | undefined,
  reader: () => Promise<Reader>,
): Promise<void> {
  const { workflowId } = handle;
  const updateId = act?.updateId ?? randomUUID();
  const said: FinalizeRun = { by, ...(act === undefined ? {} : await carried(workflowId, updateId, act)) };
  await handle.signal('finalize_run', said).catch((error: unknown) => {
    throw toRokError(error, workflowId);
  });
  if (act !== undefined) await answered(workflowId, updateId, await reader());
}

async function carried(workflowId: string, updateId: string, act: Act): Promise<Omit<FinalizeRun, 'by'>> {
  const actor = await claimOf(act.actor, { workflowId, verb: 'finalize', updateId });
  if (!('assertion' in actor))
    throw new RokError(
      'usage',
      'only an assertion ends a run before its deadline',
      'act by `--assertion`, or sign one with `--sign`',
    );
  // A signal is not refused to its sender: what the run would not take for an act is said here.
  const wrong = notFor(actor.assertion, { workflowId, verb: 'finalize', updateId, nowMs: Date.now() });
  if (wrong !== null) throw new RokError('assertion_invalid', wrong, 'get a new one for this run, act and update');
  return { actor, updateId, ...(act.reason === undefined ? {} : { reason: act.reason }) };
}

type Row = { readonly allowed: boolean; readonly reason: string | null };

/** Of an act that was refused like others before it no row is kept, but its refusal is counted. */
const ANSWER = `SELECT allowed, reason FROM decide.v_acts WHERE run_id = $1 AND update_id = $2
  UNION ALL SELECT false, last_reason FROM decide.v_refusals WHERE run_id = $1 AND last_update_id = $2 LIMIT 1`;

async function answered(workflowId: string, updateId: string, reader: Reader): Promise<void> {
  const until = Date.now() + ANSWERED_WITHIN_MS;
  while (Date.now() < until) {
    const view = await reader.run(workflowId);
    const [row] = view === null ? [] : ((await reader.rows(ANSWER, [uuidOf(view.run), updateId])) as readonly Row[]);
    if (row !== undefined && !row.allowed) throw new RokError('actor_refused', row.reason ?? 'refused');
    if (row !== undefined) return;
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
  throw new RokError('still_open', `\`${workflowId}\` did not answer`, 'see that a control worker runs');
}
