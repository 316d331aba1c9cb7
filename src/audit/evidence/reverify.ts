/**
 * The rolling sample: compares judged runs with their receipts again, some in each sweep, oldest first and then from
 * the start. It finds a row that changed long after its verdict, and writes a row that the judge reads. sampled-run.ts
 * checks one run.
 */
import type { JSONWebKeySet } from 'jose';
import type { Database, Sql } from '../../domain/sql.js';
import { storable } from '../../domain/text.js';
import { beat, lastPlace } from '../reconcile/beats.js';
import { readKeys } from './key-set.js';
import { checkRows, checkTrace, type Rows, type TraceChecked } from './sampled-run.js';
import type { Signer } from '../receipts/signer.js';

/** Name under which audit.beats keeps how far the sample has come. */
const CURSOR = 'reverify.cursor';
/** So many that fail are of the database or the moment, and no longer of a run: the next portion goes on. */
const FAILURES = 3;

/** What one portion looks at, at most: the last run's trace is gone on with in the next. */
export type Portion = { readonly runs: number; readonly events: number };
export type SampleAnswer = { readonly checked: number; readonly broken: number };

/** A run of the sample, and the event up to which its trace was followed in an earlier portion. */
type Turn = { readonly uuid: string; readonly declaredAt: string; readonly from: number };

/** @throws AggregateError of the runs that could not be held, after the others were */
export async function reverifySample(
  database: Database,
  signer: Pick<Signer, 'publicJwk'>,
  { runs, events }: Portion,
): Promise<SampleAnswer> {
  const { keys } = await readKeys(database);
  const trusted = { keys: [...keys, signer.publicJwk] };
  const failures: unknown[] = [];
  let [checked, broken, left] = [0, 0, events];
  for (let n = 0; n < runs && left > 0 && failures.length < FAILURES; n += 1) {
    const turn = await nextTurn(database);
    // All were looked at: from the oldest again, in the next portion.
    if (turn === null) {
      await beat(database, CURSOR, '-infinity');
      break;
    }
    // Passed before it is looked at, so that one that fails is not the first for ever.
    await beat(database, CURSOR, turn.declaredAt, turn.uuid);
    try {
      const { rows, trace } = await look(database, turn, trusted, left);
      left -= trace.seq - turn.from;
      if (!trace.done) await beat(database, CURSOR, turn.declaredAt, `${turn.uuid} ${trace.seq}`);
      else checked += 1;
      if ((rows !== null && rows.broken !== null) || trace.problem !== null) broken += 1;
    } catch (error) {
      failures.push(error);
    }
  }
  if (failures.length > 0)
    throw new AggregateError(failures, `${failures.length} runs of the sample could not be held`);
  return { checked, broken };
}

async function look(
  database: Database,
  turn: Turn,
  keys: JSONWebKeySet,
  atMost: number,
): Promise<{ readonly rows: Rows | null; readonly trace: TraceChecked }> {
  const rows = await checkRows(database, turn.uuid, keys);
  if (rows !== null && rows.broken !== null)
    await database.query(
      'INSERT INTO audit.altered (run_id, revision, what, detail) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING',
      [turn.uuid, rows.revision, storable(rows.broken.what, 300), storable(rows.broken.detail, 500)],
    );
  const trace = await checkTrace(database, turn.uuid, rows, { from: turn.from, atMost });
  if (trace.done)
    await database.query('INSERT INTO audit.trace_checks (run_id, ok, broken_seq, detail) VALUES ($1, $2, $3, $4)', [
      turn.uuid,
      trace.problem === null,
      trace.problem?.seq ?? null,
      storable(trace.problem?.detail ?? `${trace.seq} events follow`, 500),
    ]);
  return { rows, trace };
}

/** A run that was found broken stays so and is not asked again. */
async function nextTurn(sql: Sql): Promise<Turn | null> {
  const last = await lastPlace(sql, CURSOR);
  const [uuid, seq] = last?.place?.split(' ') ?? [];
  if (last !== null && uuid !== undefined && seq !== undefined) return { uuid, declaredAt: last.at, from: Number(seq) };
  const [next] = await sql.query<{ uuid: string; declaredAt: string }>(
    `SELECT c.run_id::text AS uuid, c.declared_at AS "declaredAt" FROM audit.contracts c
     WHERE (c.declared_at, c.run_id) > (coalesce($1::timestamptz, '-infinity'), coalesce($2::uuid, '${'0'.repeat(32)}'))
       AND EXISTS (SELECT FROM audit.verdicts v WHERE v.run_id = c.run_id)
       AND NOT EXISTS (SELECT FROM audit.altered k WHERE k.run_id = c.run_id)
       AND NOT EXISTS (SELECT FROM audit.trace_checks k WHERE k.run_id = c.run_id AND NOT k.ok)
     ORDER BY c.declared_at, c.run_id LIMIT 1`,
    [last?.at ?? null, uuid ?? null],
  );
  return next === undefined ? null : { ...next, from: 0 };
}
