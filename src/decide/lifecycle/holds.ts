/**
 * Opens and ends holds. A hold is identified by (step, attempt, reason), so a repeated request is the same hold. An
 * open hold extends the run's deadlines and returns the time that it did not use; with several at once, the time is
 * reckoned under the lock on the contract.
 */
import type { HoldReason, HoldTerms } from '../../domain/decision.js';
import { uuidOf, type Digest, type RunId } from '../../domain/ids.js';
import type { EndedHold, HoldResolution } from '../../domain/protocol/decide.js';
import type { Sql } from '../../domain/sql.js';

export type HoldKey = { readonly step: number; readonly attempt: number; readonly reason: HoldReason };
export type HoldRow = HoldKey & {
  readonly hold: number;
  readonly action_digest: Digest | null;
  readonly authority: string;
  readonly quorum: number;
  readonly on_timeout: HoldTerms['onTimeout'];
  readonly until: string;
  readonly remaining_ms: number;
  readonly resolution: HoldResolution | null;
};

/** @returns the hold of this key, open or ended: it may have been opened before. Of a pause by hand, the one that is open. */
export async function openHold(
  sql: Sql,
  run: RunId,
  hold: {
    readonly step: number;
    readonly attempt: number;
    readonly actionDigest: Digest | null;
    readonly terms: HoldTerms;
    readonly by: string;
  },
): Promise<HoldRow> {
  const { step, attempt, actionDigest, terms, by } = hold;
  await sql.query(
    `INSERT INTO decide.holds (run_id, hold, step, attempt, action_digest, reason, authority, quorum, opened_by, until, on_timeout)
    SELECT $1, (SELECT coalesce(max(hold), 0) + 1 FROM decide.holds WHERE run_id = $1), $2, $3, $4, $5, $6, $7, $8,
      least($9::timestamptz, (SELECT expires_at FROM audit.v_contracts WHERE run_id = $1)), $10
    ON CONFLICT DO NOTHING`,
    [
      uuidOf(run),
      step,
      attempt,
      actionDigest,
      terms.reason,
      terms.authority,
      terms.quorum,
      by,
      terms.until,
      terms.onTimeout,
    ],
  );
  const row =
    (await holdOf(sql, run, { step, attempt, reason: terms.reason })) ??
    (await openHolds(sql, run)).find(({ reason }) => reason === terms.reason);
  if (row === undefined) throw new Error('the hold just written is not there');
  await amend(sql, run, row.hold, 'hold_opened', 'until');
  return row;
}

/** No effect on a hold that has ended: the first end stands. */
export async function endHold(
  sql: Sql,
  run: RunId,
  { hold }: Pick<HoldRow, 'hold'>,
  resolution: HoldResolution,
): Promise<void> {
  const ended = await sql.query<{ hold: number }>(
    'UPDATE decide.holds SET resolution = $3 WHERE run_id = $1 AND hold = $2 AND resolved_at IS NULL RETURNING hold',
    [uuidOf(run), hold, resolution],
  );
  if (ended.length > 0) await amend(sql, run, hold, 'hold_ended', 'resolved_at');
}

export async function readHold(sql: Sql, run: RunId, hold: number): Promise<HoldRow | undefined> {
  const [row] = await holdRows(sql, run, 'AND hold = $2', [hold]);
  return row;
}

export async function holdOf(sql: Sql, run: RunId, { step, attempt, reason }: HoldKey): Promise<HoldRow | undefined> {
  const [row] = await holdRows(sql, run, 'AND step = $2 AND attempt = $3 AND reason = $4', [step, attempt, reason]);
  return row;
}

export const openHolds = (sql: Sql, run: RunId): Promise<readonly HoldRow[]> =>
  holdRows(sql, run, 'AND resolved_at IS NULL');

/** Every hold of the run that has ended, and how. */
export const endedHolds = (sql: Sql, run: RunId): Promise<readonly EndedHold[]> =>
  sql.query<EndedHold>(
    'SELECT hold, resolution FROM decide.holds WHERE run_id = $1 AND resolved_at IS NOT NULL ORDER BY hold',
    [uuidOf(run)],
  );

const holdRows = (sql: Sql, run: RunId, where: string, values: readonly unknown[] = []): Promise<readonly HoldRow[]> =>
  sql.query<HoldRow>(
    `SELECT hold, step, attempt, action_digest, reason, authority, quorum, on_timeout, until, resolution,
      ceil(extract(epoch FROM until - clock_timestamp()) * 1000)::float8 AS remaining_ms
    FROM decide.holds WHERE run_id = $1 ${where} ORDER BY hold`,
    [uuidOf(run), ...values],
  );

async function amend(
  sql: Sql,
  run: RunId,
  hold: number,
  reason: 'hold_opened' | 'hold_ended',
  until: 'until' | 'resolved_at',
): Promise<void> {
  await sql.query(
    `WITH moved AS (
      SELECT m.run_deadline FROM decide.holds h,
        LATERAL audit.amend(h.run_id, h.step, h.attempt, h.hold, $3, h.opened_at, h.${until}) m
      WHERE h.run_id = $1 AND h.hold = $2)
    UPDATE decide.runs SET run_deadline = moved.run_deadline FROM moved WHERE run_id = $1`,
    [uuidOf(run), hold, reason],
  );
}
