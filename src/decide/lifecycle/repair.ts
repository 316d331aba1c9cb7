/**
 * Begins the end of a run that cannot end itself, for an execution other than its history. It requires a STALE verdict,
 * or Temporal's word that the workflow is closed, and a decision `run.repair`, which policies may deny. The caller
 * becomes the run's history and the outcome `forced` is latched, so that the old workflow is refused if it wakes up.
 */
import { NO_CONTEXT } from '../../domain/context.js';
import { digest, DIGEST_TAGS } from '../../domain/digest.js';
import { uuidOf, type RunId } from '../../domain/ids.js';
import { actionDigest, type Intent } from '../../domain/intent.js';
import { isTerminal } from '../../domain/phases.js';
import type { RepairAnswer, RepairRequest } from '../../domain/protocol/decide.js';
import type { Sql } from '../../domain/sql.js';
import type { Caller } from '../actors/caller.js';
import { closingFacts, closingSnapshot, latchRow } from './close.js';
import type { DecideDeps } from '../deps.js';
import { writeDecision } from '../rows/decision-row.js';
import type { Answer } from '../policy-checker.js';
import { lockRow, NotThisHistory, type RunRow } from '../rows/run-row.js';

/** @throws NotThisHistory where the run is neither STALE nor its workflow closed; it is recorded as any other such refusal */
export async function repair(
  sql: Sql,
  deps: DecideDeps,
  caller: Caller,
  request: RepairRequest,
): Promise<RepairAnswer> {
  const { run, reason } = request;
  const row = await lockRow(sql, run);
  const { phase } = row;
  if (isTerminal(phase)) return { adopted: false, phase };
  if (row.temporal_run_id !== caller.temporalRunId) {
    if (!(await mayBeRepaired(sql, run))) throw new NotThisHistory(row.run_id);
    const { ruling } = await decideRepair(sql, deps, run, row, reason);
    if (ruling.effect !== 'allow') return { adopted: false, phase, refused: ruling.reasons };
    await sql.query(
      `WITH moved AS (UPDATE decide.runs SET temporal_run_id = $2 WHERE run_id = $1)
      INSERT INTO decide.histories (run_id, temporal_run_id, workflow_id, reason) VALUES ($1, $2, $3, 'repair')`,
      [uuidOf(run), caller.temporalRunId, caller.workflowId],
    );
  }
  const outcome = await latchRow(sql, run, row, {
    outcome: 'forced',
    detail: `repaired: ${reason}`,
    answer: null,
  });
  const { last_step: lastStep, grace_ms: graceMs } = await closeFacts(sql, run);
  return { adopted: true, tenant: row.tenant, agent: row.agent, outcome, lastStep, graceMs };
}

/** The last step is the run's own: what was decided of its end is none. */
async function closeFacts(sql: Sql, run: RunId): Promise<{ readonly last_step: number; readonly grace_ms: number }> {
  const [facts] = await sql.query<{ last_step: number; grace_ms: number | null }>(
    `SELECT (SELECT coalesce(max(d.step), 0) FROM decide.decisions d
        WHERE d.run_id = $1 AND d.kind NOT IN ('run.repair', 'run.outcome')) AS last_step,
      (SELECT (extract(epoch FROM c.finalize_due - c.run_deadline) * 1000)::float8 FROM audit.v_contracts c
        WHERE c.run_id = $1) AS grace_ms`,
    [uuidOf(run)],
  );
  return { last_step: facts?.last_step ?? 0, grace_ms: facts?.grace_ms ?? 60_000 };
}

async function mayBeRepaired(sql: Sql, run: RunId): Promise<boolean> {
  const [said] = await sql.query<{ may: boolean }>(
    `SELECT EXISTS (SELECT FROM audit.v_verdicts v WHERE v.run_id = $1 AND v.status = 'STALE')
      OR EXISTS (SELECT FROM audit.v_orphans o WHERE o.run_id = $1) AS may`,
    [uuidOf(run)],
  );
  return said?.may ?? false;
}

/** Kept whether it allows or not. A pause has nobody to wait, so it is a refusal. */
async function decideRepair(
  sql: Sql,
  deps: DecideDeps,
  run: RunId,
  row: RunRow,
  reason: RepairRequest['reason'],
): Promise<Answer> {
  const intent: Intent = {
    step: row.last_step + 1,
    attempt: 1,
    kind: 'run.repair',
    target: reason,
    argumentsDigest: digest(DIGEST_TAGS.outcome, 'forced'),
    contextDigest: NO_CONTEXT,
  };
  const snapshot = closingSnapshot(deps, row, await closingFacts(sql, run));
  const { checker, policies } = await deps.sets.of(sql, row.policy_set);
  const { answer } = checker.check(intent, snapshot);
  writeDecision(sql, {
    run,
    intent,
    actionDigest: actionDigest(intent),
    snapshot,
    answer,
    policySetDigest: policies.digest,
    priceTableDigest: deps.prices.digest,
    counters: row.counters,
    phase: row.phase,
  });
  return answer;
}
