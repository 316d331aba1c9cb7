/** Waiting, after the harm, until nothing more is to come: all runs ended, judged and signed. */
import { until } from '../test/faults/until.js';
import type { FaultRig } from '../test/faults/rig.js';

type Open = { readonly runs: bigint; readonly open: bigint; readonly unjudged: bigint; readonly unsigned: bigint };

/** A workflow that wakes up late may be refused, which the next sweep notes in a new revision: rest must last. */
const REST_MS = 5_000;

/** @throws Error when it does not come to rest within `withinMs` */
export async function healed(rig: FaultRig, accepted: number, withinMs: number): Promise<void> {
  let restSinceMs = Infinity;
  await until(
    `the end, the verdict and the receipt of ${accepted} runs`,
    async () => {
      if (!(await rests(rig, accepted))) restSinceMs = Infinity;
      else restSinceMs = Math.min(restSinceMs, Date.now());
      return Date.now() - restSinceMs >= REST_MS ? true : null;
    },
    withinMs,
  );
}

async function rests({ stack, client }: FaultRig, accepted: number): Promise<boolean> {
  const [row] = await stack.admin.query<Open>(
    `SELECT count(*) AS runs, count(*) FILTER (WHERE r.phase NOT IN ('COMPLETED', 'FAILED')) AS open,
      count(*) FILTER (WHERE v.run_id IS NULL OR c.judge_after <= clock_timestamp()) AS unjudged,
      (SELECT count(*) FROM audit.unsigned) AS unsigned
    FROM decide.runs r JOIN audit.contracts c USING (run_id) LEFT JOIN audit.v_verdicts v USING (run_id)`,
  );
  if (row === undefined || Number(row.runs) < accepted || row.open + row.unjudged + row.unsigned > 0n) return false;
  const { count } = await client.workflow.count(
    `ExecutionStatus = 'Running' AND WorkflowType IN ('governedRun', 'repair')`,
  );
  return count === 0;
}
