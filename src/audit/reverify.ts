/**
 * Hashes the traces of judged runs again, a few per sweep, oldest first and then from the start: what was changed long
 * after its verdict is found too. The answer is a row that the judge reads.
 */
import type { Sql } from '../domain/sql.js';
import { beat, lastBeat } from './beats.js';
import { textOfHex } from './bytes-text.js';
import { followChain, type ChainEvent } from './trace-chain.js';

/** Name under which audit.beats keeps how far the sample has come. */
const CURSOR = 'reverify.cursor';

type SampleRow = {
  readonly run_id: string;
  readonly declared_at: string;
  readonly root: string;
  readonly length: bigint | null;
  readonly head: string | null;
  /** With their bytes in hexadecimal. */
  readonly events: readonly ChainEvent[];
};

export async function reverifySample(
  sql: Sql,
  size: number,
): Promise<{ readonly checked: number; readonly broken: number }> {
  const sample = await readSample(sql, await lastBeat(sql, CURSOR), size);
  let broken = 0;
  for (const row of sample) {
    const problem = brokenTrace(row);
    if (problem !== null) broken += 1;
    await sql.query('INSERT INTO audit.trace_checks (run_id, ok, broken_seq, detail) VALUES ($1, $2, $3, $4)', [
      row.run_id,
      problem === null,
      problem?.seq ?? null,
      problem?.detail ?? `${row.events.length} events follow`,
    ]);
  }
  // Fewer than asked for: the end, so the next sample begins with the oldest again.
  await beat(sql, CURSOR, sample.length < size ? '-infinity' : (sample.at(-1)?.declared_at ?? '-infinity'));
  return { checked: sample.length, broken };
}

function brokenTrace(row: SampleRow): { readonly seq: number | null; readonly detail: string } | null {
  const chain = followChain(
    row.root,
    row.events.map((event) => ({ ...event, bytes: textOfHex(event.bytes) })),
  );
  if (!chain.ok) return { seq: chain.seq, detail: chain.problem };
  if (row.head === null) return row.events.length === 0 ? null : { seq: 1, detail: 'events without a head' };
  if (chain.length === Number(row.length) && chain.hash === row.head) return null;
  return { seq: chain.length, detail: 'the chain does not end in the head' };
}

/** One statement, so that heads and events are of one moment. A run that was found broken stays so and is not asked again. */
const readSample = (sql: Sql, after: string | null, size: number): Promise<readonly SampleRow[]> =>
  sql.query<SampleRow>(
    `SELECT c.run_id, c.declared_at, encode(c.digest, 'hex') AS root, h.length, encode(h.hash, 'hex') AS head,
       coalesce((SELECT json_agg(json_build_object('seq', e.seq, 'at', audit.iso(e.at),
           'bytes', encode(e.bytes, 'hex'), 'hash', encode(e.hash, 'hex')) ORDER BY e.seq)
         FROM observe.v_events e WHERE e.run_id = c.run_id), '[]') AS events
     FROM audit.contracts c LEFT JOIN observe.v_heads h ON h.run_id = c.run_id
     WHERE c.declared_at > coalesce($1::timestamptz, '-infinity')
       AND EXISTS (SELECT FROM audit.verdicts v WHERE v.run_id = c.run_id)
       AND NOT EXISTS (SELECT FROM audit.trace_checks k WHERE k.run_id = c.run_id AND NOT k.ok)
     ORDER BY c.declared_at LIMIT $2`,
    [after, size],
  );
