/**
 * The judge's page loop. The verdict itself is one SQL statement (audit.judge), called page by page. A page that fails,
 * for whatever reason, is split until single runs fail, and those are set aside (set-aside.ts): a run that cannot be
 * judged delays no other. Every statement has a time limit that follows from its number of runs.
 */
import { uuidOf, type RunId } from '../../domain/ids.js';
import type { Database } from '../../domain/sql.js';
import { chunks, isolate } from './isolation.js';
import { judgeSome, judgeSomeStrays, limitMs, PATIENT_MS, type Judged } from './judge-some.js';
import { canJudge, canRule, setAside, type FailedAlone } from './set-aside.js';

const PAGE = 500;
/** What is looked through for one that fails, before the next pages are asked for. */
const SUSPECTS = 10 * PAGE;

export type JudgeOptions = {
  readonly page?: number;
  /** Told of each run that failed alone and was set aside. */
  readonly failed?: (run: FailedAlone) => void;
};

/** What there is to judge: runs, or strays. */
type Docket = {
  readonly page: number;
  /** The next page; the judge skips what others have locked. */
  readonly next: () => Promise<readonly Judged[]>;
  readonly some: (runs: readonly string[]) => Promise<readonly Judged[]>;
  readonly due: (limit: number) => Promise<readonly string[]>;
  readonly isLast: (page: readonly Judged[]) => boolean;
};

/**
 * Everything that is due and not set aside. Each page is a transaction of its own.
 * @throws when nothing can be judged; after the rest was done when a run could not be, and nobody knows by whose fault
 */
export async function judgeDue(database: Database, options: JudgeOptions = {}): Promise<readonly Judged[]> {
  const page = options.page ?? PAGE;
  const docket: Docket = {
    page,
    next: () => judgeSome(database, null, page, limitMs(page)),
    some: (runs) => judgeSome(database, runs, runs.length, limitMs(runs.length)),
    due: (limit) => dueRuns(database, limit),
    // What an ack holds just now is skipped and due the next time, so a page that is not full is the last one.
    isLast: (looked) => looked.length < page,
  };
  return judgeAll(database, docket, options);
}

/** Executions that never opened a run, as judgeDue. */
export async function judgeStrays(database: Database, options: JudgeOptions = {}): Promise<readonly Judged[]> {
  const page = options.page ?? PAGE;
  const docket: Docket = {
    page,
    next: () => judgeSomeStrays(database, null, page, limitMs(page)),
    some: (runs) => judgeSomeStrays(database, runs, runs.length, limitMs(runs.length)),
    due: (limit) => dueStrays(database, limit),
    // Those that opened a run after all are not among the answers.
    isLast: (looked) => looked.length === 0,
  };
  return judgeAll(database, docket, options);
}

async function judgeAll(database: Database, docket: Docket, options: JudgeOptions): Promise<readonly Judged[]> {
  const judged: Judged[] = [];
  for (;;) {
    const looked = await docket.next().catch((error: unknown) => ({ error }));
    if (!('error' in looked)) {
      judged.push(...looked);
      if (docket.isLast(looked)) return judged;
      continue;
    }
    const due = await docket.due(SUSPECTS);
    const [first, ...rest] = chunks(due, docket.page);
    if (first === undefined) throw looked.error;
    const hands = { judge: docket.some, canJudge: () => canJudge(database) };
    const { judged: found, alone, others } = await isolate(hands, first, rest);
    judged.push(...found);
    judged.push(...(await setAside(database, alone, judged.length > 0 ? 'judged' : others, options.failed)));
    if (due.length < SUSPECTS || found.length + alone.length === 0) return judged;
  }
}

/**
 * What is due of one run, whether it is set aside or not; somebody waits for it.
 * @throws when it cannot be judged, unless a verdict says so
 */
export async function judgeRun(database: Database, run: RunId, options: JudgeOptions = {}): Promise<readonly Judged[]> {
  const uuid = uuidOf(run);
  try {
    return await judgeSome(database, [uuid], 1, PATIENT_MS);
  } catch (error) {
    const ruled = await setAside(database, [{ run: uuid, error }], await canRule(database), options.failed);
    if (ruled.length === 0) throw error;
    return ruled;
  }
}

async function dueRuns(database: Database, limit: number): Promise<readonly string[]> {
  const rows = await database.query<{ run_id: string }>(
    `SELECT c.run_id FROM audit.contracts c
     WHERE c.judge_after <= clock_timestamp() AND NOT EXISTS (SELECT FROM audit.set_aside a WHERE a.run_id = c.run_id)
     ORDER BY c.judge_after LIMIT $1`,
    [limit],
  );
  return rows.map((row) => row.run_id);
}

async function dueStrays(database: Database, limit: number): Promise<readonly string[]> {
  const rows = await database.query<{ run_id: string }>(
    `SELECT s.run_id FROM audit.strays s
     WHERE s.settled_at IS NULL AND s.due_at <= clock_timestamp()
       AND NOT EXISTS (SELECT FROM audit.set_aside a WHERE a.run_id = s.run_id)
     ORDER BY s.due_at LIMIT $1`,
    [limit],
  );
  return rows.map((row) => row.run_id);
}
