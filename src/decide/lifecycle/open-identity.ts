/**
 * Which run an execution is the history of: one that it opened before, the one that it continues, a new one, or none
 * (refused).
 */
import type { RunSpec } from '../../domain/run-spec.js';
import type { Sql } from '../../domain/sql.js';
import type { Caller } from '../actors/caller.js';
import { NotThisHistory } from '../rows/run-row.js';

/** ROK's own run of an agent, or somebody's own workflow: by the type that Temporal says the execution has. */
export type RunKind = 'governedRun' | 'own';
export const runKindOf = (workflowType: string | undefined): RunKind =>
  workflowType === 'governedRun' ? 'governedRun' : 'own';

export type OpenIdentity = {
  /** For a spec that does not parse: from the workflow id, else `unknown`. */
  readonly tenant: string;
  readonly agent: string;
  /** The predecessor's Temporal run id, when this execution continues it. */
  readonly continuedFrom: string | null;
  readonly kind: RunKind;
};

const NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/;
const nameOr = (value: unknown, other: string): string =>
  typeof value === 'string' && NAME.test(value) ? value : other;

/** Best guess of tenant and agent for the records of a spec that may be anything. */
export function identityOf(spec: unknown, caller: Caller, continuedFrom: string | null, kind: RunKind): OpenIdentity {
  const fields = typeof spec === 'object' && spec !== null ? (spec as Readonly<Record<string, unknown>>) : {};
  const [prefix, fromId] = caller.workflowId.split('/');
  return {
    tenant: nameOr(fields['tenant'], prefix === 'rok' ? nameOr(fromId, 'unknown') : 'unknown'),
    agent: nameOr(fields['agent'], 'unknown'),
    continuedFrom,
    kind,
  };
}

/**
 * @returns the uuid of this execution's run, or null when it is to be made
 * @throws NotThisHistory when the run has another execution as its history
 */
export async function identify(
  sql: Sql,
  caller: Caller,
  identity: OpenIdentity,
  spec: RunSpec | null,
): Promise<string | null> {
  const [known] = await sql.query<{ run_id: string; workflow_id: string; temporal_run_id: string }>(
    `SELECT run_id, workflow_id, temporal_run_id FROM decide.runs
    WHERE workflow_id = $1 OR (tenant = $2 AND caller_id = $3) ORDER BY (workflow_id = $1) DESC LIMIT 1 FOR NO KEY UPDATE`,
    [caller.workflowId, spec?.tenant ?? null, spec?.id ?? null],
  );
  if (known === undefined) return null;
  if (known.workflow_id === caller.workflowId && known.temporal_run_id === caller.temporalRunId) return known.run_id;
  if (
    known.workflow_id !== caller.workflowId ||
    identity.continuedFrom === null ||
    identity.continuedFrom !== known.temporal_run_id
  )
    throw new NotThisHistory(known.run_id);
  await sql.query(
    `WITH moved AS (UPDATE decide.runs SET temporal_run_id = $2 WHERE run_id = $1 AND temporal_run_id = $4)
    INSERT INTO decide.histories (run_id, temporal_run_id, workflow_id, reason) VALUES ($1, $2, $3, 'continued')`,
    [known.run_id, caller.temporalRunId, caller.workflowId, identity.continuedFrom],
  );
  return known.run_id;
}

/** Kept for good, in a transaction of its own: the refusal must survive the rollback of what was refused. */
export async function recordRefused(sql: Sql, caller: Caller, { runUuid, code }: NotThisHistory): Promise<void> {
  await sql.query(
    `INSERT INTO decide.refused_histories (workflow_id, temporal_run_id, run_id, code) VALUES ($1, $2, $3, $4)
    ON CONFLICT DO NOTHING`,
    [caller.workflowId, caller.temporalRunId, runUuid, code],
  );
}
