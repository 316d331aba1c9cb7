/**
 * Calls the judge's one statement, for a page or for given runs, under a time limit. Isolates nothing: an error is the
 * caller's.
 */
import { runIdOf, type RunId } from '../../domain/ids.js';
import type { Database, Sql } from '../../domain/sql.js';
import type { VerdictStatus } from '../../domain/verdict.js';

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

/** What so many runs may take in a page: some sixteen times what they do. */
export const limitMs = (runs: number): number => Math.min(Math.max(1_000, 8 * runs), 25_000);

/** Of one run that somebody waits for. */
export const PATIENT_MS = 10_000;

type Some = (
  database: Database,
  /** Null: any that are due and not set aside. */
  runs: readonly string[] | null,
  limit: number,
  timeoutMs: number,
) => Promise<readonly Judged[]>;

export const judgeSome: Some = (database, runs, limit, timeoutMs) =>
  within(database, timeoutMs, (sql) =>
    sql.query('SELECT run_id, revision, status, written FROM audit.judge($1::uuid[], $2)', [runs, limit]),
  );

/** Executions that never opened a run. */
export const judgeSomeStrays: Some = (database, runs, limit, timeoutMs) =>
  within(database, timeoutMs, (sql) =>
    sql.query('SELECT run_id, revision, status, true AS written FROM audit.judge_strays($1::uuid[], $2)', [
      runs,
      limit,
    ]),
  );

/** A run that somebody holds: waits for its lock and judges it in the same transaction. */
export const judgeHeld = (database: Database, run: string, waitMs: number): Promise<readonly Judged[]> =>
  within(database, PATIENT_MS, (sql) => {
    void sql.query(`SELECT set_config('lock_timeout', $1, true)`, [`${waitMs}ms`]);
    void sql.query('SELECT audit.wait_for($1)', [run]);
    return sql.query('SELECT run_id, revision, status, written FROM audit.judge(ARRAY[$1]::uuid[], 1)', [run]);
  });

/** What can be ruled without judging: see audit.rule_apart. */
export const ruleApart = (database: Database, run: string): Promise<readonly Judged[]> =>
  within(database, PATIENT_MS, (sql) =>
    sql.query('SELECT run_id, revision, status, written FROM audit.rule_apart($1)', [run]),
  );

/**
 * In a transaction, because after an error only the end of one says that its locks are gone: the parts of a page would
 * otherwise be skipped as locked by the page.
 */
async function within(
  database: Database,
  timeoutMs: number,
  ask: (sql: Sql) => Promise<readonly JudgedRow[]>,
): Promise<readonly Judged[]> {
  let judged: Promise<readonly JudgedRow[]> = Promise.resolve([]);
  await database.transaction((sql) => {
    // Not waited for: all of it travels with the commit.
    void sql.query(`SELECT set_config('statement_timeout', $1, true)`, [`${timeoutMs}ms`]);
    judged = ask(sql);
    return Promise.resolve();
  });
  return (await judged).map(({ run_id, ...rest }) => ({ run: runIdOf(run_id), ...rest }));
}
