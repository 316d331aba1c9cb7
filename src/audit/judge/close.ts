/** Judges and signs one run, right after it ended. */
import type { RunId } from '../../domain/ids.js';
import { uuidOf } from '../../domain/ids.js';
import type { CloseAnswer } from '../../domain/protocol/audit.js';
import type { Sql } from '../../domain/sql.js';
import type { Finding, VerdictStatus } from '../../domain/verdict.js';
import { checkApprovals } from '../evidence/approval-checks.js';
import { judgeRun } from './judge.js';
import { chainOf, signRun, type Signed } from '../receipts/receipts.js';
import type { SweepDeps } from '../reconcile/reconciler.js';

/**
 * Another judge may hold the contract just now: then this one has nothing to do but to wait for that one's verdict.
 * @param waits milliseconds between the looks
 */
export async function closeRun(
  deps: SweepDeps,
  run: RunId,
  waits: readonly number[] = [20, 50, 100, 200],
): Promise<CloseAnswer> {
  const { database, measure } = deps;
  const [chain] = await Promise.all([chainOf(database, run), checkApprovals(database, deps.assertionKeys, run)]);
  for (const wait of [0, ...waits]) {
    if (wait > 0) await new Promise((resolve) => setTimeout(resolve, wait));
    const judged = await judgeRun(database, run);
    for (const one of judged) if (one.written && one.status !== null) measure?.judged(one.status, 1);
    const signed = (await signRun(database, deps.signer, chain, run)).at(-1);
    // The usual way: what this look wrote, it signed.
    if (signed !== undefined && judged.some((one) => one.written && one.revision === signed.verdict.revision))
      return answerOf(signed);
    if (judged.length === 0 && (await isDue(database, run))) continue;
    const answer = await readClose(database, run);
    // Ruled on by another since this look began, and not signed yet: whoever looks next signs it.
    if (judged.length > 0 || answer.status === null || answer.receipt !== null) return answer;
  }
  return readClose(database, run);
}

const answerOf = ({ verdict, n }: Signed): CloseAnswer => ({
  status: verdict.status,
  revision: verdict.revision,
  findings: verdict.findings.length,
  receipt: Number(n),
});

async function isDue(sql: Sql, run: RunId): Promise<boolean> {
  const [row] = await sql.query(
    'SELECT 1 AS due FROM audit.contracts WHERE run_id = $1 AND judge_after <= clock_timestamp()',
    [uuidOf(run)],
  );
  return row !== undefined;
}

async function readClose(sql: Sql, run: RunId): Promise<CloseAnswer> {
  const [row] = await sql.query<{
    status: VerdictStatus;
    revision: number;
    findings: readonly Finding[];
    n: bigint | null;
  }>(
    `SELECT v.status, v.revision, v.findings, r.n
     FROM audit.v_verdicts v LEFT JOIN audit.receipts r ON (r.run_id, r.revision) = (v.run_id, v.revision)
     WHERE v.run_id = $1`,
    [uuidOf(run)],
  );
  if (row === undefined) return { status: null, revision: 0, findings: 0, receipt: null };
  return {
    status: row.status,
    revision: row.revision,
    findings: row.findings.length,
    receipt: row.n === null ? null : Number(row.n),
  };
}
