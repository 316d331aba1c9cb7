/** Handles a start whose id is taken: if it is the same start, the first run is returned; otherwise it is refused. */
import { randomUUID } from 'node:crypto';
import type { Client } from '@temporalio/client';
import { RokError } from '../domain/errors.js';
import type { Administered, Administration, Compared } from '../domain/protocol/administer.js';
import type { RunSpec } from '../domain/run-spec.js';
import type { Reader } from '../reader/read.js';
import { toRokError } from '../platform/temporal/temporal-failure.js';

const ANSWERED_WITHIN_MS = 30_000;
const AGAIN_MS = 250;

/** Where the database is not reached from here, `decide.open` still knows. */
export async function isKnown(reader: () => Promise<Reader>, workflowId: string): Promise<boolean> {
  try {
    return (await (await reader()).run(workflowId)) !== null;
  } catch {
    return false;
  }
}

/** @throws RokError id_conflict for another request, still_open where no control worker has opened the first one in time */
export async function sameAsFirst(client: Client, workflowId: string, spec: RunSpec): Promise<void> {
  const until = Date.now() + ANSWERED_WITHIN_MS;
  for (;;) {
    const compared = await compare(client, workflowId, spec, until);
    if (compared?.result === 'same') return;
    if (compared?.result === 'refused') throw new RokError('actor_refused', compared.reason);
    if (compared?.result === 'another') throw conflict(workflowId, compared.fields);
    if (Date.now() > until)
      throw new RokError(
        'still_open',
        `\`${workflowId}\` was started before, and whether with the same request is not known yet`,
        'see that a control worker runs, and start it again',
      );
    await new Promise((resolve) => setTimeout(resolve, AGAIN_MS));
  }
}

/** Null where nobody answers in time. */
async function compare(client: Client, workflowId: string, spec: RunSpec, until: number): Promise<Compared | null> {
  const request: Administration = { ask: 'same', workflowId, spec };
  const asking: Promise<unknown> = client.workflow.execute('administer', {
    taskQueue: 'rok-control',
    workflowId: `rok-admin/${randomUUID()}`,
    workflowIdReusePolicy: 'REJECT_DUPLICATE',
    args: [request],
    staticSummary: request.ask,
  });
  // Given up, it may still fail.
  asking.catch(() => undefined);
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<null>((resolve) => {
    timer = setTimeout(resolve, Math.max(0, until - Date.now()), null);
  });
  try {
    const answer = (await Promise.race([asking, late])) as Administered | null;
    return answer?.ask === 'same' ? answer : null;
  } catch (error) {
    throw toRokError(error, workflowId);
  } finally {
    clearTimeout(timer);
  }
}

const conflict = (workflowId: string, fields: readonly string[]): RokError =>
  new RokError(
    'id_conflict',
    `\`${workflowId}\` belongs to a run that was asked for with another ${fields.length === 0 ? 'request' : fields.join(', ')}`,
    'use an id of its own for another request; a repeat is equal in everything but its assertion',
  );
