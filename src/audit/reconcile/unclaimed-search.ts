/** Pages through Temporal's executions in order of their start and enters those that no run accounts for. */
import type { Database } from '../../domain/sql.js';
import { beat, lastPlace } from './beats.js';
import { unclaimedSpans } from './overdue-plan.js';
import { enterStrays, type Execution } from './unclaimed-executions.js';
import type { TemporalView } from './temporal-view.js';

const CURSOR = 'strays.cursor';
const BATCH = 500;

export type UnclaimedTerms = {
  /** How old an execution must be before its missing run counts. */
  readonly settledMs: number;
  /** How long a stray has until it is judged. */
  readonly graceMs: number;
};

/** Remembers after each span how far it came, so that a search that is cut off goes on from there. */
export async function searchUnclaimed(
  database: Database,
  temporal: TemporalView,
  terms: UnclaimedTerms,
): Promise<number> {
  const [clock] = await database.query<{ now: string }>('SELECT clock_timestamp() AS now');
  const searched = (await lastPlace(database, CURSOR))?.at ?? null;
  let entered = 0;
  for (const span of unclaimedSpans(
    new Date(clock?.now ?? Date.now()),
    searched === null ? null : new Date(searched),
    terms.settledMs,
  )) {
    let batch: Execution[] = [];
    for await (const execution of temporal.executions(span)) {
      batch.push(execution);
      if (batch.length < BATCH) continue;
      entered += await enterStrays(database, batch, terms.graceMs);
      batch = [];
    }
    entered += await enterStrays(database, batch, terms.graceMs);
    await beat(database, CURSOR, span.until.toISOString());
  }
  return entered;
}
