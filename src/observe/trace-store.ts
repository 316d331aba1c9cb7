/**
 * Appends to the trace through the one database function that may. Appends that arrive while others are being committed
 * form the next batch and share a commit, which is most of an append's cost; no append waits for others to arrive. It
 * reads nothing: observation must not change what is observed.
 */
import { createBatcher } from '../domain/batching.js';
import { asDigest, uuidOf, type RunId } from '../domain/ids.js';
import type { Appended } from '../domain/protocol/observe.js';
import type { Database, Sql } from '../domain/sql.js';
import type { EncodedEvent } from './trace-facade.js';

/** Statements under way at once, and what one carries at most, so that no statement runs into its timeout. */
const BATCHES = 3;
const BATCH_BOUNDS = { appends: 16, events: 256 } as const;
/** One that is stuck holds up nobody, and is given up before the activity is that asked for it (3 s). */
const TIMES = { late: { afterMs: 250, atMost: 2 * BATCHES }, deadlineMs: 2_500 } as const;

/** Idempotent by event id; answers the head as it stands then. What fails, fails alone. */
export type AppendToTrace = (run: RunId, events: readonly EncodedEvent[]) => Promise<Appended>;

type Append = { readonly run: RunId; readonly events: readonly EncodedEvent[] };

export function openTraceStore(database: Database): AppendToTrace {
  const append = createBatcher<Append, Appended>(
    {
      batches: BATCHES,
      ...TIMES,
      items: BATCH_BOUNDS.appends,
      weight: { of: (one) => one.events.length, atMost: BATCH_BOUNDS.events },
    },
    async (batch, signal) => {
      try {
        return await keep(database.until(signal), batch);
      } catch (error) {
        if (batch.length === 1) throw error;
        // One of them spoiled it for all, and nothing of it was kept.
        return batch.map(async (one) => headAt(await appendAll(database, [one]), 0, one.run));
      }
    },
  );
  return (run, events) => append({ run, events });
}

async function keep(sql: Sql, batch: readonly Append[]): Promise<readonly Appended[]> {
  const heads = await appendAll(sql, batch);
  return batch.map((one, place) => headAt(heads, place, one.run));
}

type HeadRow = { readonly place: number; readonly length: bigint; readonly hash: string };

const appendAll = (sql: Sql, batch: readonly Append[]): Promise<readonly HeadRow[]> =>
  sql.query<HeadRow>(
    `SELECT a.place, a.length, encode(a.hash, 'hex') AS hash FROM observe.append_together($1::jsonb) a`,
    [JSON.stringify(batch.map(({ run, events }) => ({ run: uuidOf(run), events })))],
  );

function headAt(heads: readonly HeadRow[], place: number, run: RunId): Appended {
  const head = heads.find((one) => one.place === place + 1);
  if (head === undefined) throw new Error(`observe.append_together answered nothing for \`${run}\``);
  return { length: Number(head.length), hash: asDigest(head.hash) };
}
