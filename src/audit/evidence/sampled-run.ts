/**
 * Checks one run of the rolling sample against its receipt: rows and columns by the code of `rok verify RUN`, the trace
 * page by page, so that only one page is in memory. Writes nothing.
 */
import type { JSONWebKeySet } from 'jose';
import { runIdOf, type RunId } from '../../domain/ids.js';
import type { Database, Sql } from '../../domain/sql.js';
import { collectBundle } from './bundle.js';
import { textOfHex } from './bytes-text.js';
import { brokenLive } from './live.js';
import type { Receipt } from '../receipts/receipt.js';
import type { Records } from './records.js';
import { chainStart, followOn, isClosing, type ChainEvent, type ChainPlace } from './trace-chain.js';
import { brokenContents, brokenContract } from '../verify/verify.js';
import { openRecords } from '../verify/records.js';
import { brokenStory } from '../verify/rows.js';
import { openReceipt, type Broken } from '../verify/signature.js';

/** As many as an append takes: of the largest events 16 MB. */
const PAGE = 256;

/** What is known of the rows: whether they are what the latest receipt covers, and what a trace may be held against. */
export type Rows = {
  readonly revision: number;
  readonly broken: Broken | null;
  readonly against: { readonly receipt: Receipt; readonly records: Records } | null;
};
/** Null: there is no receipt. All of one moment, so that nothing that is just being written seems to differ. */
export function checkRows(database: Database, uuid: string, keys: JSONWebKeySet): Promise<Rows | null> {
  return database.transaction(async (sql) => {
    await sql.query('SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY');
    return rowsOf(sql, runIdOf(uuid), keys);
  });
}

async function rowsOf(sql: Sql, run: RunId, keys: JSONWebKeySet): Promise<Rows | null> {
  const bundle = await collectBundle(sql, run, { keys, trace: false });
  if (bundle === null) return null;
  const opened = await openReceipt(bundle.receipt, { jwks: keys }, bundle.keys, bundle.version);
  const revision = revisionOf(bundle.verdict);
  if (!opened.ok) return { revision, broken: opened.broken, against: null };
  const { receipt } = opened;
  const broken = brokenContract(bundle, receipt) ?? brokenContents(bundle, receipt) ?? (await brokenLive(sql, run));
  const records = openRecords(bundle, receipt);
  return { revision, broken, against: records.ok ? { receipt, records: records.records } : null };
}

/** Of the verdict's row: what a receipt says that does not verify is nobody's word. */
const revisionOf = (verdict: string): number => (JSON.parse(verdict) as { readonly revision: number }).revision;

/** Null: all of it follows. */
export type TraceProblem = { readonly seq: number | null; readonly detail: string };
export type TraceChecked = {
  readonly problem: TraceProblem | null;
  /** The last event that was followed. */
  readonly seq: number;
  /** False: `atMost` events were followed, and there are more. */
  readonly done: boolean;
};

/** @param from the event up to which an earlier portion followed it; 0 for none @param atMost where to stop, at the end of a page */
export async function checkTrace(
  sql: Sql,
  uuid: string,
  rows: Rows | null,
  { from, atMost }: { readonly from: number; readonly atMost: number },
): Promise<TraceChecked> {
  let place: ChainPlace | null = null;
  for (;;) {
    // The last event of the portion before says where to go on: its hash, and whether it ended the trace.
    const page = await readPage(sql, uuid, place === null ? from - 1 : place.length);
    const events: readonly ChainEvent[] = page.events.map((event) => ({ ...event, bytes: textOfHex(event.bytes) }));
    const known: ChainEvent | null = place === null && from > 0 ? (events[0] ?? null) : null;
    if (place === null && from > 0 && known?.seq !== from)
      return { problem: { seq: from, detail: `event ${from} is not there` }, seq: from, done: true };
    const start: ChainPlace =
      place ??
      (known === null ? chainStart(page.root) : { length: from, hash: known.hash, closed: isClosing(known.bytes) });
    const fresh = known === null ? events : events.slice(1);
    const step = followOn(start, fresh);
    if (!step.ok) return { problem: { seq: step.seq, detail: step.problem }, seq: step.seq, done: true };
    const told = rows === null || rows.against === null ? null : otherwiseThan(rows.against, start, fresh);
    place = step.place;
    if (told !== null) return { problem: told, seq: place.length, done: true };
    if (events.length < PAGE) return { problem: endOf(page, place, rows), seq: place.length, done: true };
    if (place.length - from >= atMost) return { problem: null, seq: place.length, done: false };
  }
}

type Page = {
  readonly root: string;
  readonly length: bigint | null;
  readonly head: string | null;
  /** With their bytes in hexadecimal. */
  readonly events: readonly ChainEvent[];
};

/** One statement, so that the head and the last events are of one moment. */
async function readPage(sql: Sql, uuid: string, after: number): Promise<Page> {
  const [page] = await sql.query<Page>(
    `SELECT encode(c.digest, 'hex') AS root, h.length, encode(h.hash, 'hex') AS head,
       coalesce((SELECT json_agg(json_build_object('seq', e.seq, 'at', audit.iso(e.at),
           'bytes', encode(e.bytes, 'hex'), 'hash', encode(e.hash, 'hex')) ORDER BY e.seq)
         FROM (SELECT x.* FROM observe.v_events x WHERE x.run_id = c.run_id AND x.seq > $2 ORDER BY x.seq LIMIT ${PAGE}) e),
         '[]') AS events
     FROM audit.contracts c LEFT JOIN observe.v_heads h ON h.run_id = c.run_id WHERE c.run_id = $1`,
    [uuid, after],
  );
  if (page === undefined) throw new Error(`the contract of \`${uuid}\` is gone`);
  return page;
}

/** What a page says of steps must be what the records say, and the head that was signed must be on the way. */
function otherwiseThan(
  { receipt, records }: NonNullable<Rows['against']>,
  start: ChainPlace,
  events: readonly ChainEvent[],
): TraceProblem | null {
  const { facts } = receipt;
  if (facts === null) return null;
  const stated = Number(facts.traceLength);
  const there = events[stated - start.length - 1];
  if (there !== undefined && facts.traceHash !== null && there.hash !== facts.traceHash)
    return { seq: stated, detail: "its head is not the receipt's" };
  const told = brokenStory({ trace: events }, records, receipt);
  return told === null ? null : { seq: seqOf(told.detail), detail: told.detail };
}

const seqOf = (detail: string): number | null => {
  const seq = /^event ([1-9][0-9]*) /.exec(detail)?.[1];
  return seq === undefined ? null : Number(seq);
};

function endOf({ head, length }: Page, place: ChainPlace, rows: Rows | null): TraceProblem | null {
  if (head === null) return place.length === 0 ? null : { seq: 1, detail: 'events without a head' };
  if (place.length !== Number(length) || place.hash !== head)
    return { seq: place.length, detail: 'the chain does not end in the head' };
  const stated = rows?.against?.receipt.facts?.traceLength ?? '0';
  return BigInt(place.length) < BigInt(stated)
    ? { seq: place.length, detail: `the receipt states ${stated} events, there are ${place.length}` }
    : null;
}
