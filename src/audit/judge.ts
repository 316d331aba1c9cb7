/**
 * The judge's page loop. The verdict itself is one SQL statement (audit.judge); this asks for it page by page, and when a
 * page's data cannot be read halves it down to the one run that is at fault, so that one bad row delays nobody.
 */
import { runIdOf, uuidOf, type RunId } from '../domain/ids.js';
import type { Database } from '../domain/sql.js';
import type { VerdictStatus } from '../domain/verdict.js';

export const PAGE = 500;

/** A run that was looked at; without a verdict it is PENDING. */
export type Judged = {
  readonly run: RunId;
  readonly revision: number | null;
  readonly status: VerdictStatus | null;
  /** Whether this look wrote a revision. */
  readonly written: boolean;
};
type JudgedRow = {
  readonly run_id: string;
  readonly revision: number | null;
  readonly status: VerdictStatus | null;
  readonly written: boolean;
};

/**
 * Everything that is due, or what is due among `runs`. Each page is a transaction of its own.
 * @throws whatever is not an error of the data: lost connections and timeouts are tried again by whoever calls
 */
export async function judgeDue(
  database: Database,
  options: { readonly runs?: readonly RunId[]; readonly page?: number } = {},
): Promise<readonly Judged[]> {
  const page = options.page ?? PAGE;
  const runs = options.runs?.map(uuidOf) ?? null;
  const judged: Judged[] = [];
  for (;;) {
    const { looked, full } = await judgePage(database, runs, page);
    judged.push(...looked);
    // What an ack holds just now is skipped and due the next time, so a page that is not full is the last one.
    if (!full) return judged;
  }
}

type Page = { readonly looked: readonly Judged[]; readonly full: boolean };

async function judgePage(database: Database, runs: readonly string[] | null, page: number): Promise<Page> {
  try {
    const looked = await judge(database, runs, page);
    return { looked, full: looked.length >= page };
  } catch (error) {
    if (dataError(error) === null) throw error;
    const due = await database.query<{ run_id: string }>(
      `SELECT run_id FROM audit.contracts
       WHERE judge_after <= clock_timestamp() AND ($1::uuid[] IS NULL OR run_id = ANY ($1))
       ORDER BY judge_after LIMIT $2`,
      [runs, page],
    );
    const looked = await halve(
      database,
      due.map((row) => row.run_id),
    );
    // A page of which nothing could be judged would come again and again.
    return { looked, full: due.length >= page && looked.length > 0 };
  }
}

async function halve(database: Database, runs: readonly string[]): Promise<readonly Judged[]> {
  if (runs.length === 0) return [];
  try {
    return await judge(database, runs, runs.length);
  } catch (error) {
    const state = dataError(error);
    if (state === null) throw error;
    const [only] = runs;
    if (runs.length === 1 && only !== undefined) return judgeError(database, only, state);
    const middle = Math.ceil(runs.length / 2);
    return [...(await halve(database, runs.slice(0, middle))), ...(await halve(database, runs.slice(middle)))];
  }
}

/**
 * In a transaction, because after an error only the end of one says that its locks are gone: the halves of a page would
 * otherwise be skipped as locked by the page.
 */
async function judge(database: Database, runs: readonly string[] | null, limit: number): Promise<readonly Judged[]> {
  let judged: Promise<readonly JudgedRow[]> = Promise.resolve([]);
  await database.transaction((sql) => {
    // Not waited for: the commit travels with it.
    judged = sql.query('SELECT run_id, revision, status, written FROM audit.judge($1::uuid[], $2)', [runs, limit]);
    return Promise.resolve();
  });
  return (await judged).map(asJudged);
}

async function judgeError(database: Database, run: string, state: string): Promise<readonly Judged[]> {
  const rows = await database.query<JudgedRow>(
    'SELECT run_id, revision, status, written FROM audit.judge_error($1, $2)',
    [run, state],
  );
  return rows.map(asJudged);
}

const asJudged = ({ run_id, ...rest }: JudgedRow): Judged => ({ run: runIdOf(run_id), ...rest });

/** The SQLSTATE of an error that the data caused (class 22, 23), which trying again would not cure. */
function dataError(error: unknown): string | null {
  const code = (error as { code?: unknown } | null)?.code;
  return typeof code === 'string' && /^2[23][0-9A-Z]{3}$/.test(code) ? code : null;
}
