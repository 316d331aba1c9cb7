/**
 * One sweep: judge what is due, then check approvals and sign verdicts without a receipt. Needs PostgreSQL and nothing
 * else. A part that fails does not stop the others.
 */
import type { SweepAnswer } from '../../domain/protocol/audit.js';
import type { Database } from '../../domain/sql.js';
import type { VerdictStatus } from '../../domain/verdict.js';
import { checkApprovals, type AssertionKeys } from '../evidence/approval-checks.js';
import { judgeOverdueHeld } from '../judge/lock-holders.js';
import { judgeDue, judgeStrays } from '../judge/judge.js';
import type { Judged } from '../judge/judge-some.js';
import type { AuditLog, AuditMeasure } from '../log.js';
import { signVerdicts } from '../receipts/receipts.js';
import { tryAgain, type FailedAlone } from '../judge/set-aside.js';
import type { Signer } from '../receipts/signer.js';
import { enterUncontracted } from '../judge/uncontracted.js';

export type SweepDeps = {
  readonly database: Database;
  readonly signer: Signer;
  /** The audit's own copy of the assertion issuers' key set; null: no assertion can be checked, which is said and is no finding. */
  readonly assertionKeys: AssertionKeys | null;
  readonly log: AuditLog;
  readonly measure?: AuditMeasure;
};

/** What each part has, whatever it finds to do: the next sweep goes on from where it ended. */
const PART_MS = 60_000;

/** @throws AggregateError of what failed, after the rest was done */
export async function sweep(deps: SweepDeps): Promise<SweepAnswer> {
  const { database, measure } = deps;
  const failures: unknown[] = [];
  const attempt: Attempt = async (work, otherwise) => {
    try {
      return await work(database.until(AbortSignal.timeout(PART_MS)));
    } catch (error) {
      failures.push(error);
      return otherwise;
    }
  };

  const judged = [...(await judge(deps, attempt))];
  // What has no bound comes after: each a portion at a time, from where it ended the last time.
  await attempt((timely) => enterUncontracted(timely), 0);
  await attempt((timely) => timely.query('SELECT audit.recall()'), []);
  const approvals = await attempt((timely) => checkApprovals(timely, deps.assertionKeys), null);
  if (approvals !== null) tellUncheckable(deps, approvals.uncheckable);
  // What was found forged, or claimed by another history, is judged before the verdict of before is signed.
  judged.push(...(await attempt((timely) => judgeDue(timely, tellFailed(deps)), [])));
  const signed = await attempt((timely) => signAll({ ...deps, database: timely }), 0);

  const written = judged.filter((one) => one.written).map((one) => one.status);
  const count = (status: VerdictStatus): number => written.filter((one) => one === status).length;
  const answer = {
    judged: written.length,
    complete: count('COMPLETE'),
    incomplete: count('INCOMPLETE'),
    stale: count('STALE'),
    signed,
  };
  measure?.judged('COMPLETE', answer.complete);
  measure?.judged('INCOMPLETE', answer.incomplete);
  measure?.judged('STALE', answer.stale);
  await attempt(async (timely) => {
    const { overdue, aside } = await countWaiting(timely);
    measure?.overdue(overdue);
    measure?.setAside(aside);
  }, undefined);
  if (failures.length > 0)
    throw new AggregateError(failures, `a sweep was not complete: ${failures.map(messageOf).join('; ')}`);
  return answer;
}

/** What the rows do not bear out is said and counted, and stays without a receipt. */
async function signAll({ database, signer, log, measure }: SweepDeps): Promise<number> {
  let left = 0;
  const signed = await signVerdicts(database, signer, ({ run, why, due }) => {
    if (due) return;
    left += 1;
    log.error({ run, why }, 'a verdict is not signed: its rows do not bear it out');
  });
  measure?.notBorneOut(left);
  return signed;
}

type Attempt = <T>(work: (timely: Database) => Promise<T>, otherwise: T) => Promise<T>;

/** Nothing comes before it: no run waits for its verdict behind anything else. */
async function judge(deps: SweepDeps, attempt: Attempt): Promise<readonly Judged[]> {
  const told = tellFailed(deps);
  const due = await attempt((timely) => judgeDue(timely, told), []);
  const strays = await attempt((timely) => judgeStrays(timely, told), []);
  const others = due.length + strays.length > 0 ? 'judged' : 'unknown';
  const again = await attempt((timely) => tryAgain(timely, others, told.failed), []);
  const held = await attempt((timely) => judgeOverdueHeld(timely, deps.log), []);
  return [...due, ...strays, ...again, ...held];
}

const tellFailed = ({ log }: SweepDeps): { readonly failed: (run: FailedAlone) => void } => ({
  failed: (run) => {
    log.error(run, 'a run cannot be judged; it is set aside and tried again by itself');
  },
});

function tellUncheckable({ log, measure }: SweepDeps, uncheckable: number): void {
  measure?.approvalsUncheckable(uncheckable);
  if (uncheckable > 0)
    log.warn(
      { uncheckable },
      'there are approvals that the audit cannot check yet: it has no key set, or not their key or issuer (ROK_JWKS, ROK_ASSERTION_ISSUER)',
    );
}

async function countWaiting(database: Database): Promise<{ readonly overdue: number; readonly aside: number }> {
  const [row] = await database.query<{ overdue: bigint; aside: bigint }>(
    `SELECT count(*) FILTER (WHERE c.finalize_due < clock_timestamp()
        AND NOT (a.run_id IS NOT NULL AND EXISTS (SELECT FROM audit.verdicts v WHERE v.run_id = c.run_id))) AS overdue,
       count(a.run_id) AS aside
     FROM audit.contracts c LEFT JOIN audit.set_aside a ON a.run_id = c.run_id WHERE c.judge_after <= clock_timestamp()`,
  );
  return { overdue: Number(row?.overdue ?? 0), aside: Number(row?.aside ?? 0) };
}

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));
