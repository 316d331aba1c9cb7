/**
 * Appends to the trace through the one function that may. Appends that come while others are being committed travel together
 * and share a commit, which is most of what one costs; nobody waits for company. Deliberately without reading: what was
 * observed changes nothing that is observed.
 */
import { asDigest, uuidOf, type RunId } from '../domain/ids.js';
import type { Appended } from '../domain/protocol/observe.js';
import type { Sql } from '../domain/sql.js';
import type { EncodedEvent } from './trace-facade.js';

/** Statements under way at once, and what one carries at most, so that no statement runs into its timeout. */
const GROUPS = 3;
const GROUP_BOUNDS = { appends: 16, events: 256 } as const;

/** Idempotent by event id; answers the head as it stands then. What fails, fails alone. */
export type AppendToTrace = (run: RunId, events: readonly EncodedEvent[]) => Promise<Appended>;

type Append = { readonly run: RunId; readonly events: readonly EncodedEvent[] };
type Waiting = Append & {
  readonly kept: (head: Appended) => void;
  readonly failed: (error: unknown) => void;
};

export function openTraceStore(sql: Sql): AppendToTrace {
  const waiting: Waiting[] = [];
  let underWay = 0;
  const send = (): void => {
    while (underWay < GROUPS && waiting.length > 0) {
      underWay += 1;
      void keep(sql, waiting.splice(0, sizeOfGroup(waiting))).finally(() => {
        underWay -= 1;
        send();
      });
    }
  };
  return (run, events) =>
    new Promise((kept, failed) => {
      waiting.push({ run, events, kept, failed });
      send();
    });
}

function sizeOfGroup(waiting: readonly Waiting[]): number {
  let events = 0;
  const over = waiting.findIndex((one, place) => {
    events += one.events.length;
    return place >= GROUP_BOUNDS.appends || (place > 0 && events > GROUP_BOUNDS.events);
  });
  return over === -1 ? waiting.length : over;
}

/** Never rejects: each append is told its own end. */
async function keep(sql: Sql, group: readonly Waiting[]): Promise<void> {
  try {
    const heads = await appendAll(sql, group);
    for (const [place, one] of group.entries()) one.kept(headAt(heads, place, one.run));
  } catch (error) {
    const [only] = group;
    if (group.length === 1) only?.failed(error);
    // One of them spoiled it for all, and nothing of it was kept.
    else await Promise.all(group.map((one) => keep(sql, [one])));
  }
}

type HeadRow = { readonly place: number; readonly length: bigint; readonly hash: string };

/** By run, so that two groups never wait for each other's heads. */
const appendAll = (sql: Sql, group: readonly Append[]): Promise<readonly HeadRow[]> =>
  sql.query<HeadRow>(
    `SELECT g.place::integer AS place, a.length, encode(a.hash, 'hex') AS hash
     FROM (SELECT b.run, b.events, b.place
       FROM ROWS FROM (jsonb_to_recordset($1::jsonb) AS (run uuid, events jsonb)) WITH ORDINALITY AS b (run, events, place)
       ORDER BY b.run, b.place) g, LATERAL observe.append(g.run, g.events) a`,
    [JSON.stringify(group.map(({ run, events }) => ({ run: uuidOf(run), events })))],
  );

function headAt(heads: readonly HeadRow[], place: number, run: RunId): Appended {
  const head = heads.find((one) => one.place === place + 1);
  if (head === undefined) throw new Error(`observe.append answered nothing for \`${run}\``);
  return { length: Number(head.length), hash: asDigest(head.hash) };
}
