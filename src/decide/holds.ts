/** Opening and ending a hold. A hold extends the run's deadlines while it is open and gives back what it did not use. */
import type { HoldTerms } from '../domain/decision.js';
import { uuidOf, type Digest, type RunId } from '../domain/ids.js';
import type { HoldResolution } from '../domain/protocol/decide.js';
import type { Sql } from '../domain/sql.js';

export type HoldRow = {
  readonly hold: number;
  readonly step: number | null;
  readonly attempt: number | null;
  readonly action_digest: Digest | null;
  readonly reason: string;
  readonly authority: string;
  readonly quorum: number;
  readonly on_timeout: HoldTerms['onTimeout'];
  readonly until: string;
  readonly remaining_ms: number;
  readonly resolution: HoldResolution | null;
};

/** A hold with a number was asked for by no decision, so it names no step. */
export async function openHold(
  sql: Sql,
  run: RunId,
  hold: {
    readonly step: number;
    readonly attempt: number;
    readonly actionDigest: Digest | null;
    readonly terms: HoldTerms;
    readonly by: string;
    readonly number?: number;
  },
): Promise<HoldRow> {
  await sql.query(
    `INSERT INTO decide.holds (run_id, hold, step, attempt, action_digest, reason, authority, quorum, opened_by, until, on_timeout)
    SELECT $1, coalesce($11::int, (SELECT coalesce(max(hold), 0) + 1 FROM decide.holds WHERE run_id = $1)), $2, $3, $4, $5, $6, $7, $8,
      least($9::timestamptz, (SELECT expires_at FROM audit.v_contracts WHERE run_id = $1)), $10
    ON CONFLICT DO NOTHING`,
    [
      uuidOf(run),
      hold.number === undefined ? hold.step : null,
      hold.number === undefined ? hold.attempt : null,
      hold.actionDigest,
      hold.terms.reason,
      hold.terms.authority,
      hold.terms.quorum,
      hold.by,
      hold.terms.until,
      hold.terms.onTimeout,
      hold.number ?? null,
    ],
  );
  const [row] =
    hold.number === undefined
      ? await holdRows(sql, run, 'AND step = $2 AND attempt = $3', [hold.step, hold.attempt])
      : await holdRows(sql, run, 'AND hold = $2', [hold.number]);
  if (row === undefined) throw new Error('the hold just written is not there');
  await shift(sql, run, row, 'hold_opened', 'until - opened_at');
  return row;
}

/** No effect on a hold that has ended: the first end stands. */
export async function endHold(sql: Sql, run: RunId, hold: HoldRow, resolution: HoldResolution): Promise<void> {
  const ended = await sql.query<{ hold: number }>(
    'UPDATE decide.holds SET resolution = $3 WHERE run_id = $1 AND hold = $2 AND resolved_at IS NULL RETURNING hold',
    [uuidOf(run), hold.hold, resolution],
  );
  if (ended.length > 0) await shift(sql, run, hold, 'hold_ended', "least(resolved_at - until, interval '0')");
}

export async function readHold(sql: Sql, run: RunId, hold: number): Promise<HoldRow | undefined> {
  const [row] = await holdRows(sql, run, 'AND hold = $2', [hold]);
  return row;
}

export const openHolds = (sql: Sql, run: RunId): Promise<readonly HoldRow[]> =>
  holdRows(sql, run, 'AND resolved_at IS NULL');

const holdRows = (sql: Sql, run: RunId, where: string, values: readonly unknown[] = []): Promise<readonly HoldRow[]> =>
  sql.query<HoldRow>(
    `SELECT hold, step, attempt, action_digest, reason, authority, quorum, on_timeout, until, resolution,
      ceil(extract(epoch FROM until - clock_timestamp()) * 1000)::float8 AS remaining_ms
    FROM decide.holds WHERE run_id = $1 ${where}`,
    [uuidOf(run), ...values],
  );

async function shift(sql: Sql, run: RunId, hold: HoldRow, reason: string, by: string): Promise<void> {
  await sql.query(
    `WITH moved AS (
      SELECT m.run_deadline FROM decide.holds h,
        LATERAL audit.amend(h.run_id, coalesce(h.step, 0), coalesce(h.attempt, 1), h.hold, $3, ${by}) m
      WHERE h.run_id = $1 AND h.hold = $2)
    UPDATE decide.runs SET run_deadline = moved.run_deadline FROM moved WHERE run_id = $1`,
    [uuidOf(run), hold.hold, reason],
  );
}
