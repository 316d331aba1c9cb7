/** Random changes of rows by a superuser who switched the triggers off, each of what a receipt or an outside head covers. */
import type { Sql } from '../../src/domain/sql.js';
import { COLUMN_CHANGES, type RowChange } from './tamper-columns.js';
import type { Random } from './tamper-random.js';

const HEX = '0123456789abcdef';
const digest = (random: Random): string => Array.from({ length: 64 }, () => random.of(Array.from(HEX))).join('');
const stepOf = async (sql: Sql, table: string, run: string, random: Random) => {
  const rows = await sql.query<{ step: number; attempt: number }>(
    `SELECT step, attempt FROM ${table} WHERE run_id = $1 ORDER BY step, attempt`,
    [run],
  );
  return random.of(rows);
};
const seqOf = async (sql: Sql, run: string, random: Random): Promise<number> => {
  const [row] = await sql.query<{ n: number }>('SELECT max(seq)::int AS n FROM observe.events WHERE run_id = $1', [
    run,
  ]);
  return 1 + random.below(row?.n ?? 1);
};
const ackOf = async (sql: Sql, run: string, random: Random): Promise<number> =>
  random.of(await sql.query<{ n: number }>('SELECT n FROM audit.acks WHERE run_id = $1 ORDER BY n', [run])).n;
const BYTE = `set_byte(bytes, $3::int % length(bytes), (get_byte(bytes, $3::int % length(bytes)) + $4::int) % 256)`;

/** An update of one column of a row that has a step and an attempt. */
const column = (table: string, what: string, set: string): RowChange => {
  return async (sql, run, _other, random) => {
    const { step, attempt } = await stepOf(sql, table, run, random);
    await sql.query(`UPDATE ${table} SET ${set} WHERE run_id = $1 AND step = $2 AND attempt = $3 AND $4 <> ''`, [
      run,
      step,
      attempt,
      digest(random),
    ]);
    return `${what} ${step}.${attempt}: `;
  };
};
const gone = (table: string, what: string): RowChange => {
  return async (sql, run, _other, random) => {
    const { step, attempt } = await stepOf(sql, table, run, random);
    await sql.query(`DELETE FROM ${table} WHERE run_id = $1 AND step = $2 AND attempt = $3`, [run, step, attempt]);
    return `${what} ${step}.${attempt}: it is not there`;
  };
};
const put = (table: string, what: string, columns: string, values = columns): RowChange => {
  return async (sql, run, _other, random) => {
    const { step, attempt } = await stepOf(sql, table, run, random);
    const at = 50 + random.below(40);
    await sql.query(
      `INSERT INTO ${table} (run_id, step, attempt, ${columns}) SELECT run_id, $4, attempt, ${values} FROM ${table}
       WHERE run_id = $1 AND step = $2 AND attempt = $3`,
      [run, step, attempt, at],
    );
    return `${what} ${at}.${attempt}: the receipt does not state it`;
  };
};

const DECISION_DIGESTS =
  'request_digest, arguments_digest, context_digest, not_after, snapshot_digest, policy_set_digest, price_table_digest, body, decided_at';

export const ROW_CHANGES: Readonly<Record<string, RowChange>> = {
  'an event: its bytes': async (sql, run, _other, random) => {
    const seq = await seqOf(sql, run, random);
    await sql.query(`UPDATE observe.events SET bytes = ${BYTE} WHERE run_id = $1 AND seq = $2`, [
      run,
      seq,
      random.below(9999),
      1 + random.below(255),
    ]);
    return `trace event ${seq}: `;
  },
  'an event: its bytes and its hash': async (sql, run, _other, random) => {
    const seq = await seqOf(sql, run, random);
    await sql.query(`UPDATE observe.events SET bytes = ${BYTE} WHERE run_id = $1 AND seq = $2`, [
      run,
      seq,
      random.below(9999),
      1 + random.below(255),
    ]);
    await sql.query(
      `UPDATE observe.events e SET hash = observe.event_hash(coalesce((SELECT p.hash FROM observe.events p WHERE p.run_id = $1 AND p.seq = $2 - 1),
         (SELECT c.digest FROM audit.contracts c WHERE c.run_id = $1)), e.seq, e.at, e.bytes) WHERE e.run_id = $1 AND e.seq = $2`,
      [run, seq],
    );
    // Whoever hashes on would have to hash every later one; then the head is not the receipt's.
    return 'trace';
  },
  'an event: its time': async (sql, run, _other, random) => {
    const seq = await seqOf(sql, run, random);
    await sql.query(
      `UPDATE observe.events SET at = at + make_interval(secs => $3 / 1000000.0) WHERE run_id = $1 AND seq = $2`,
      [run, seq, 1 + random.below(1_000_000)],
    );
    return `trace event ${seq}: `;
  },
  'an event: its hash': async (sql, run, _other, random) => {
    const seq = await seqOf(sql, run, random);
    await sql.query(`UPDATE observe.events SET hash = decode($3, 'hex') WHERE run_id = $1 AND seq = $2`, [
      run,
      seq,
      digest(random),
    ]);
    return `trace event ${seq}: `;
  },
  'an event left out': async (sql, run, _other, random) => {
    const seq = await seqOf(sql, run, random);
    await sql.query('DELETE FROM observe.events WHERE run_id = $1 AND seq = $2', [run, seq]);
    return 'trace';
  },
  'the tail of the trace, with its head': async (sql, run, _other, random) => {
    const seq = await seqOf(sql, run, random);
    await sql.query('DELETE FROM observe.events WHERE run_id = $1 AND seq >= $2', [run, seq]);
    await sql.query('UPDATE observe.heads SET length = $2 - 1, closed_at = NULL WHERE run_id = $1', [run, seq]);
    return 'trace: the receipt states';
  },
  'events in another order': async (sql, run, _other, random) => {
    const [a, b] = [await seqOf(sql, run, random), await seqOf(sql, run, random)];
    if (a === b) return null;
    await sql.query('UPDATE observe.events SET seq = 1000000 WHERE run_id = $1 AND seq = $2', [run, a]);
    await sql.query('UPDATE observe.events SET seq = $3 WHERE run_id = $1 AND seq = $2', [run, b, a]);
    await sql.query('UPDATE observe.events SET seq = $2 WHERE run_id = $1 AND seq = 1000000', [run, b]);
    return `trace event ${Math.min(a, b)}: `;
  },
  'an event put in, rightly hashed': async (sql, run) => {
    await sql.query(
      `INSERT INTO observe.events (run_id, seq, event_id, kind, bytes, at, hash)
       SELECT e.run_id, e.seq + 1, 'x', 'phase.changed', b.bytes, e.at, observe.event_hash(e.hash, e.seq + 1, e.at, b.bytes)
       FROM observe.events e, (SELECT convert_to('{"body":{},"id":"x","kind":"phase.changed"}', 'UTF8') AS bytes) b
       WHERE e.run_id = $1 ORDER BY e.seq DESC LIMIT 1`,
      [run],
    );
    return 'trace event';
  },
  'an event of another run': async (sql, run, other, random) => {
    const seq = await seqOf(sql, run, random);
    const { length } = await sql.query(
      `UPDATE observe.events e SET bytes = o.bytes, at = o.at, hash = o.hash FROM observe.events o
       WHERE e.run_id = $1 AND e.seq = $2 AND o.run_id = $3 AND o.seq = $2 RETURNING e.seq`,
      [run, seq, other],
    );
    return length === 0 ? null : `trace event ${seq}: `;
  },
  'the contract': async (sql, run, _other, random) => {
    await sql.query(`UPDATE audit.contracts SET bytes = ${BYTE} WHERE run_id = $1 AND $2::int = 0`, [
      run,
      0,
      random.below(9999),
      1 + random.below(255),
    ]);
    return 'contract: ';
  },
  'an ack': async (sql, run, _other, random) => {
    const n = await ackOf(sql, run, random);
    const set = random.of([
      `by = 'rok_read'`,
      `evidence = '{"table":"x"}'`,
      `at = at - interval '1 microsecond'`,
      `domain = 'other'`,
      `status = 'failed'`,
    ]);
    await sql.query(`UPDATE audit.acks SET ${set} WHERE run_id = $1 AND n = $2`, [run, n]);
    return `ack ${n}: `;
  },
  'an ack left out': async (sql, run, _other, random) => {
    const n = await ackOf(sql, run, random);
    await sql.query('DELETE FROM audit.acks WHERE run_id = $1 AND n = $2', [run, n]);
    return `ack ${n}: it is not there`;
  },
  'an ack put in': async (sql, run, _other, random) => {
    const n = await ackOf(sql, run, random);
    await sql.query(
      `INSERT INTO audit.acks SELECT run_id, 90, domain, action, status, evidence, by, at FROM audit.acks WHERE run_id = $1 AND n = $2`,
      [run, n],
    );
    return 'ack 90: the receipt does not state it';
  },
  'the verdict': async (sql, run, _other, random) => {
    const set = random.of([
      `status = 'STALE'`,
      `findings = '[]'::jsonb || '{"code":"DRIFT","blocking":false,"subject":"a","detail":"b"}'::jsonb`,
      `judged_at = judged_at + interval '1 second'`,
    ]);
    await sql.query(`UPDATE audit.verdicts SET ${set} WHERE run_id = $1`, [run]);
    return 'verdict: ';
  },
  'an amendment': async (sql, run, _other, random) => {
    const all = await sql.query<{ n: number }>('SELECT n FROM audit.amendments WHERE run_id = $1 ORDER BY n', [run]);
    if (all.length === 0) return null;
    const { n } = random.of(all);
    const set = random.of([
      `reason = 'other'`,
      'step = step + 1',
      'attempt = attempt + 1',
      'hold = hold + 1',
      `run_deadline = run_deadline + interval '1 microsecond'`,
      `finalize_due = finalize_due + interval '1 microsecond'`,
      `at = at - interval '1 microsecond'`,
    ]);
    await sql.query(`UPDATE audit.amendments SET ${set} WHERE run_id = $1 AND n = $2`, [run, n]);
    return `amendment ${n}: `;
  },
  'the receipt of another run': async (sql, run, other) => {
    await sql.query(
      `UPDATE audit.receipts r SET jws = o.jws FROM audit.receipts o WHERE r.run_id = $1 AND o.run_id = $2`,
      [run, other],
    );
    return 'receipt: it is of another run';
  },
  'a character of the receipt': async (sql, run, _other, random) => {
    const set = `overlay(jws placing CASE substr(jws, at, 1) WHEN 'A' THEN 'B' ELSE 'A' END from at for 1)`;
    await sql.query(
      `UPDATE audit.receipts SET jws = (SELECT ${set} FROM (SELECT 1 + $2::int % length(jws) AS at) p) WHERE run_id = $1`,
      [run, random.below(100_000)],
    );
    return 'receipt';
  },
  'a decision: its target': column('decide.decisions', 'decision', `target = 'another'`),
  'a decision: its action': column('decide.decisions', 'decision', 'action_digest = $4'),
  'a decision: its policy set': column('decide.decisions', 'decision', 'policy_set_digest = $4'),
  'a decision: its reasons': column('decide.decisions', 'decision', `body = body || '{"reasons":[{"code":"x"}]}'`),
  'a decision: its time': column('decide.decisions', 'decision', `decided_at = decided_at - interval '1 microsecond'`),
  'a decision left out': gone('decide.decisions', 'decision'),
  'a decision put in': put(
    'decide.decisions',
    'decision',
    `kind, target, effect, action_digest, ${DECISION_DIGESTS}`,
    `'skill.call', target, effect, action_digest, ${DECISION_DIGESTS}`,
  ),
  'an attempt: its action': column('execute.attempts', 'attempt', 'action_digest = $4'),
  'an attempt: its time': column('execute.attempts', 'attempt', `started_at = started_at + interval '1 microsecond'`),
  'an attempt left out': gone('execute.attempts', 'attempt'),
  'an attempt put in': put('execute.attempts', 'attempt', 'action_digest, effect, nonce, started_at'),
  'a result, with its digest': column(
    'execute.results',
    'result',
    `output_tokens = 6, digest = execute.result_digest(run_id, step, attempt, status, content_digest, input_tokens, 6, cached_tokens, reasoning_tokens,
       usage_reported, code, retry_after_ms, cause, reported_model, finish_reason)`,
  ),
  'a result left out': gone('execute.results', 'result'),
  ...COLUMN_CHANGES,
};

/** What is done to the chain of receipts of a tenant, after its head went outside. */
export const CHAIN_CHANGES: Readonly<Record<string, (n: number, random: Random) => string>> = {
  'a hash': (n, random) =>
    `UPDATE audit.receipts SET hash = decode('${digest(random)}', 'hex') WHERE tenant = $1 AND n = ${n}`,
  'a character': (n, random) =>
    `UPDATE audit.receipts SET jws = overlay(jws placing CASE substr(jws, ${1 + random.below(200)}, 1) WHEN 'A' THEN 'B' ELSE 'A' END
       from ${1 + random.below(200)} for 1) || 'A' WHERE tenant = $1 AND n = ${n}`,
  'one left out': (n) => `DELETE FROM audit.receipts WHERE tenant = $1 AND n = ${n}`,
  'the tail cut': (n) => `DELETE FROM audit.receipts WHERE tenant = $1 AND n >= ${n}`,
  'one left out, the others numbered anew': (n) =>
    `WITH gone AS (DELETE FROM audit.receipts WHERE tenant = $1 AND n = ${n} RETURNING n)
     UPDATE audit.receipts SET n = n - 1 WHERE tenant = $1 AND n > (SELECT n FROM gone)`,
  'one in the place of another': (n, random) =>
    `UPDATE audit.receipts r SET jws = o.jws, hash = o.hash FROM audit.receipts o
     WHERE r.tenant = $1 AND o.tenant = $1 AND r.n = ${n} AND o.n = ${n} % 5 + 1 AND ${random.below(2)} >= 0`,
};
