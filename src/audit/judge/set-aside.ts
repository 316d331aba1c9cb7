/**
 * Runs that cannot be judged. Each is recorded, ruled on as far as that needs no judging (STALE, JUDGE_ERROR), and
 * tried again alone: after a pause, or when new facts about it arrive. A run that is then judged is set aside no more.
 * isolation.ts finds these runs.
 */
import { runIdOf, type RunId } from '../../domain/ids.js';
import type { Database } from '../../domain/sql.js';
import type { Alone, Others } from './isolation.js';
import { judgeSome, judgeSomeStrays, ruleApart, type Judged } from './judge-some.js';

export type FailedAlone = { readonly run: RunId; readonly sqlstate: string; readonly failures: number };

/** In one sweep; the others keep their turn. */
const TRIES = 50;
const TRYING_MS = 15_000;
/** How long a run may take that is tried for the nth time; enough in the end for whatever can be done at all. */
const patienceMs = (failures: number): number => Math.min(1_000 * 2 ** failures, 25_000);

/** The SQLSTATE of an error; of a connection that was lost or silent, that of class 08. */
export function sqlStateOf(error: unknown): string {
  const code = (error as { code?: unknown } | null)?.code;
  return typeof code === 'string' && /^[0-9A-Z]{5}$/.test(code) && !/^E[A-Z]/.test(code) ? code : '08006';
}

/** Whether it is a run's fault that it failed alone. Of what the machine may lack, only a verdict written meanwhile tells. */
function ownFault(sqlstate: string, others: Others): boolean {
  if (/^(22|23|54|XX)/.test(sqlstate)) return true;
  return others === 'judged' || (others === 'ruled' && !sqlstate.startsWith('53'));
}

/**
 * @returns what could be ruled without judging
 * @throws the first error that is nobody's fault for all that is known; what was somebody's is written down before
 */
export async function setAside(
  database: Database,
  alone: readonly Alone[],
  others: Others,
  tell: (failed: FailedAlone) => void = () => undefined,
): Promise<readonly Judged[]> {
  const ruled: Judged[] = [];
  const left: unknown[] = [];
  for (const { run, error } of alone) {
    const sqlstate = sqlStateOf(error);
    if (!ownFault(sqlstate, others)) {
      left.push(error);
      continue;
    }
    try {
      const [row] = await database.query<{ failures: number }>('SELECT audit.failed_alone($1, $2) AS failures', [
        run,
        sqlstate,
      ]);
      tell({ run: runIdOf(run), sqlstate, failures: row?.failures ?? 1 });
      ruled.push(...(await ruleApart(database, run)));
    } catch (failure) {
      left.push(failure);
    }
  }
  if (left.length > 0) throw left[0];
  return ruled;
}

/**
 * Tries those again whose turn it is, each alone, and rules STALE on those that are past their due time by now.
 * @throws the first of what failed, after the rest was done
 */
export async function tryAgain(
  database: Database,
  others: Others,
  tell?: (failed: FailedAlone) => void,
): Promise<readonly Judged[]> {
  const judged: Judged[] = [];
  const failures: unknown[] = [];
  const attempt = async (work: () => Promise<readonly Judged[]>, failed: (error: unknown) => void): Promise<void> => {
    try {
      judged.push(...(await work()));
    } catch (error) {
      failed(error);
    }
  };
  const alone: Alone[] = [];
  const began = performance.now();
  for (const { run_id: run, failures: times, stray } of await theirTurn(database)) {
    if (performance.now() - began > TRYING_MS) break;
    await attempt(
      () => (stray ? judgeSomeStrays : judgeSome)(database, [run], 1, patienceMs(times)),
      (error) => alone.push({ run, error }),
    );
  }
  const report = (error: unknown): void => void failures.push(error);
  if (alone.length > 0) {
    const seen = judged.length > 0 ? 'judged' : others === 'unknown' ? await canRule(database) : others;
    await attempt(() => setAside(database, alone, seen, tell), report);
  }
  for (const run of await overdueAside(database)) await attempt(() => ruleApart(database, run), report);
  if (failures.length > 0) throw failures[0];
  return judged;
}

type Turn = { readonly run_id: string; readonly failures: number; readonly stray: boolean };

/** The longest waiting first. What is news of a run, and its due time, call for a look whatever its turn is. */
const theirTurn = (database: Database): Promise<readonly Turn[]> =>
  database.query<Turn>(
    `SELECT a.run_id, a.failures, c.run_id IS NULL AS stray
     FROM audit.set_aside a
     LEFT JOIN audit.contracts c ON c.run_id = a.run_id
     LEFT JOIN audit.strays s ON s.run_id = a.run_id AND c.run_id IS NULL
     WHERE (c.judge_after <= clock_timestamp()
         AND (a.next_at <= clock_timestamp() OR c.judge_after > a.last_at
           OR (c.finalize_due > a.last_at AND c.finalize_due <= clock_timestamp())))
       OR (s.settled_at IS NULL AND s.due_at <= clock_timestamp() AND a.next_at <= clock_timestamp())
     ORDER BY a.next_at LIMIT $1`,
    [TRIES],
  );

async function overdueAside(database: Database): Promise<readonly string[]> {
  const rows = await database.query<{ run_id: string }>(
    `SELECT a.run_id FROM audit.set_aside a JOIN audit.contracts c ON c.run_id = a.run_id
     WHERE c.judge_after <= clock_timestamp() AND c.finalize_due < clock_timestamp()
       AND NOT EXISTS (SELECT FROM audit.v_verdicts v WHERE v.run_id = a.run_id AND v.status = 'STALE')
     ORDER BY a.last_at DESC LIMIT $1`,
    [10 * TRIES],
  );
  return rows.map((row) => row.run_id);
}

/** Whether others fare better, told by one that was judged before. */
export const canRule = (database: Database): Promise<Others> =>
  canJudge(database).then(
    (can) => (can === true ? 'ruled' : 'unknown'),
    () => 'unknown',
  );

/** Whether what was judged can be judged still; null where there is nothing to tell by. @throws where it can not */
export async function canJudge(database: Database): Promise<boolean | null> {
  const [row] = await database.query<{ can: boolean | null }>('SELECT audit.can_judge() AS can');
  return row?.can ?? null;
}
