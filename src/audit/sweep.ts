/**
 * One sweep: check approvals, judge what is due, sign what has no receipt. Needs PostgreSQL and nothing else, and each
 * part is done whatever became of the others.
 */
import type { SweepAnswer } from '../domain/protocol/audit.js';
import type { Database } from '../domain/sql.js';
import type { VerdictStatus } from '../domain/verdict.js';
import { checkApprovals, type AssertionKeys } from './approval-checks.js';
import { judgeDue, PAGE } from './judge.js';
import type { AuditLog, AuditMeasure } from './log.js';
import { signVerdicts } from './receipts.js';
import type { Signer } from './signer.js';

export type SweepDeps = {
  readonly database: Database;
  readonly signer: Signer;
  /** The audit's own copy of the assertion issuers' key set; null: no assertion can be checked, which is said and is no finding. */
  readonly assertionKeys: AssertionKeys | null;
  readonly log: AuditLog;
  readonly measure?: AuditMeasure;
};

/** @throws AggregateError of what failed, after the rest was done */
export async function sweep(deps: SweepDeps): Promise<SweepAnswer> {
  const { database, measure } = deps;
  const failures: unknown[] = [];
  const attempt = async <T>(work: () => Promise<T>, otherwise: T): Promise<T> => {
    try {
      return await work();
    } catch (error) {
      failures.push(error);
      return otherwise;
    }
  };

  await attempt(() => database.query('SELECT audit.recall()'), []);
  const approvals = await attempt(() => checkApprovals(database, deps.assertionKeys), null);
  if (approvals !== null) measure?.approvalsUncheckable(approvals.uncheckable);
  if (approvals !== null && approvals.uncheckable > 0)
    deps.log.warn(approvals, 'there are approvals that the audit cannot check: it has no key set (ROK_JWKS)');
  const judged = await attempt(() => judgeDue(database), []);
  const strays = await attempt(() => judgeStrays(database), []);
  const signed = await attempt(() => signAll(deps), 0);

  const written = [...judged.filter((one) => one.written), ...strays].map((one) => one.status);
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
  await attempt(async () => measure?.overdue(await overdueRuns(database)), undefined);
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

const judgeStrays = (database: Database): Promise<readonly { readonly status: VerdictStatus }[]> =>
  database.query<{ status: VerdictStatus }>('SELECT status FROM audit.judge_strays($1)', [PAGE]);

async function overdueRuns(database: Database): Promise<number> {
  const [row] = await database.query<{ count: bigint }>(
    'SELECT count(*) FROM audit.contracts WHERE judge_after <= clock_timestamp() AND finalize_due < clock_timestamp()',
  );
  return Number(row?.count ?? 0);
}

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));
