/** What the database says of a run after a fault: read by the superuser, whole, so that a test can state all of it. */
import { uuidOf, type RunId } from '../../src/domain/ids.js';
import type { Finding, VerdictStatus } from '../../src/domain/verdict.js';
import type { OpenAiLogLine } from '../execute/openai-server.js';
import type { Stack } from '../stack/stack.js';
import { until } from './until.js';

/** One warrant, the attempt it allowed and what became of both. */
type Warrant = {
  /** `step.attempt` */
  readonly at: string;
  readonly kind: string;
  readonly state: string;
  /** Null: never redeemed. */
  readonly result: string | null;
  readonly spent: bigint | null;
};

export async function warrantsOf({ admin }: Stack, run: RunId): Promise<readonly Warrant[]> {
  return admin.query<Warrant>(
    `SELECT w.step || '.' || w.attempt AS at, d.kind, w.state, w.spent_micros AS spent,
      CASE WHEN a.run_id IS NULL THEN NULL ELSE coalesce(s.status, 'none') END AS result
    FROM decide.reservations w
    JOIN decide.decisions d USING (run_id, step, attempt)
    LEFT JOIN execute.attempts a USING (run_id, step, attempt)
    LEFT JOIN execute.results s USING (run_id, step, attempt)
    WHERE w.run_id = $1 ORDER BY w.step, w.attempt`,
    [uuidOf(run)],
  );
}

/** What the run set aside for one attempt, and the tokens it reckoned with. */
export async function boundOf(
  { admin }: Stack,
  run: RunId,
  step: number,
  attempt: number,
): Promise<{ readonly micros: bigint; readonly tokens: bigint }> {
  const [row] = await admin.query<{ micros: bigint; tokens: bigint }>(
    'SELECT bound_micros AS micros, bound_tokens AS tokens FROM decide.reservations WHERE (run_id, step, attempt) = ($1, $2, $3)',
    [uuidOf(run), step, attempt],
  );
  if (row === undefined) throw new Error(`no warrant ${step}.${attempt}`);
  return row;
}

const DRIFT = [
  ...['decide.v_drift', 'decide.v_set_aside_drift', 'decide.v_overspent', 'decide.v_charge_drift'],
  ...['audit.v_attempt_drift', 'audit.v_receipt_drift'],
];

/** Whatever in the ledger does not agree with itself, with attempts and with receipts. */
export const driftOf = async ({ admin }: Stack): Promise<readonly object[]> =>
  (await Promise.all(DRIFT.map((view) => admin.query(`SELECT '${view}' AS view, x.* FROM ${view} x`)))).flat();

/** The run's own account of money, and what drifts anywhere. */
export async function ledgerOf(stack: Stack, run: RunId): Promise<object> {
  const [money] = await stack.admin.query<{ spent: bigint; reserved: bigint; over: bigint }>(
    `SELECT spent, reserved, over FROM decide.accounts WHERE scope = 'run' AND subject = $1 AND unit = 'usd_micros'`,
    [uuidOf(run)],
  );
  return { ...money, drift: await driftOf(stack) };
}

/** `step.attempt kind effect`, in order. */
export async function decisionsOf({ admin }: Stack, run: RunId): Promise<readonly string[]> {
  const rows = await admin.query<{ line: string }>(
    `SELECT step || '.' || attempt || ' ' || kind || ' ' || effect AS line FROM decide.decisions WHERE run_id = $1 ORDER BY step, attempt`,
    [uuidOf(run)],
  );
  return rows.map((row) => row.line);
}

/** `verb by actor`, in order, with `refused` where it was. */
export async function actsOf({ admin }: Stack, run: RunId): Promise<readonly string[]> {
  const rows = await admin.query<{ line: string }>(
    `SELECT verb || ' by ' || actor || CASE WHEN allowed THEN '' ELSE ' refused' END AS line FROM decide.acts WHERE run_id = $1 ORDER BY at`,
    [uuidOf(run)],
  );
  return rows.map((row) => row.line);
}

export async function endOf({ admin }: Stack, run: RunId): Promise<{ phase: string; outcome: string | null }> {
  const [row] = await admin.query<{ phase: string; outcome: string | null }>(
    'SELECT phase, outcome FROM decide.runs WHERE run_id = $1',
    [uuidOf(run)],
  );
  if (row === undefined) throw new Error(`no run ${run}`);
  return row;
}

export const ended = (
  stack: Stack,
  run: RunId,
  withinMs?: number,
): Promise<{ phase: string; outcome: string | null }> =>
  until(
    `the end of ${run}`,
    async () => {
      const end = await endOf(stack, run);
      return ['COMPLETED', 'FAILED'].includes(end.phase) ? end : null;
    },
    withinMs,
  );

export type Verdict = {
  readonly status: VerdictStatus;
  readonly revision: number;
  /** `CODE subject`, in the judge's order: what blocks first. */
  readonly blocking: readonly string[];
  readonly notes: readonly string[];
  /** Milliseconds after finalize_due. */
  readonly afterDueMs: number;
  readonly signed: boolean;
};

/** The latest revision, once there is one that `suits`. */
export const verdictOf = (
  { admin }: Stack,
  run: RunId,
  suits: (verdict: Verdict) => boolean = () => true,
): Promise<Verdict> =>
  until(`a verdict on ${run}`, async () => {
    const [row] = await admin.query<Omit<Verdict, 'blocking' | 'notes'> & { findings: readonly Finding[] }>(
      `SELECT v.status, v.revision, v.findings, r.n IS NOT NULL AS signed,
        (extract(epoch FROM v.judged_at - c.finalize_due) * 1000)::float8 AS "afterDueMs"
      FROM audit.v_verdicts v JOIN audit.contracts c USING (run_id)
      LEFT JOIN audit.receipts r ON (r.run_id, r.revision) = (v.run_id, v.revision)
      WHERE v.run_id = $1`,
      [uuidOf(run)],
    );
    if (row === undefined) return null;
    const { findings, ...rest } = row;
    const those = (blocking: boolean) =>
      findings.filter((one) => one.blocking === blocking).map((one) => `${one.code} ${one.subject}`);
    const verdict = { ...rest, blocking: those(true), notes: those(false) };
    return suits(verdict) && verdict.signed ? verdict : null;
  });

/** One revision, whole. A finding reads `CODE subject: detail`, times in it `<time>`. */
export type Revision = {
  readonly revision: number;
  readonly status: VerdictStatus;
  readonly blocking: readonly string[];
  readonly notes: readonly string[];
  readonly signed: boolean;
};

/** Every revision so far, the first one first. */
export async function revisionsOf({ admin }: Stack, run: RunId): Promise<readonly Revision[]> {
  const rows = await admin.query<Pick<Revision, 'revision' | 'status' | 'signed'> & { findings: readonly Finding[] }>(
    `SELECT v.revision, v.status, v.findings, r.n IS NOT NULL AS signed
    FROM audit.verdicts v LEFT JOIN audit.receipts r ON (r.run_id, r.revision) = (v.run_id, v.revision)
    WHERE v.run_id = $1 ORDER BY v.revision`,
    [uuidOf(run)],
  );
  const said = ({ code, subject, detail }: Finding): string =>
    `${code} ${subject}: ${detail.replaceAll(/\d{4}-\d\d-\d\dT[\d:.]+Z/g, '<time>')}`;
  return rows.map(({ revision, status, signed, findings }) => ({
    revision,
    status,
    blocking: findings.filter((one) => one.blocking).map(said),
    notes: findings.filter((one) => !one.blocking).map(said),
    signed,
  }));
}

/** The revisions, once the last of them is signed and `suits`. */
export const revisionsWhen = (
  stack: Stack,
  run: RunId,
  suits: (last: Revision) => boolean,
): Promise<readonly Revision[]> =>
  until(`a verdict that suits on ${run}`, async () => {
    const revisions = await revisionsOf(stack, run);
    const last = revisions.at(-1);
    return last !== undefined && last.signed && suits(last) ? revisions : null;
  });

/**
 * Which requests reached the model's server while each attempt of a model call lasted, by the server's own log: one each,
 * and none outside, is what "no attempt is called twice" means.
 */
export async function requestsByAttempt(
  { admin }: Stack,
  run: RunId,
  requests: readonly OpenAiLogLine[],
): Promise<Readonly<Record<string, readonly number[]>>> {
  const attempts = await admin.query<{ at: string; from_ms: number; until_ms: number }>(
    `SELECT a.step || '.' || a.attempt AS at, (extract(epoch FROM a.started_at) * 1000)::float8 AS from_ms,
      (extract(epoch FROM s.finished_at) * 1000)::float8 AS until_ms
    FROM execute.attempts a JOIN execute.results s USING (run_id, step, attempt) JOIN decide.decisions d USING (run_id, step, attempt)
    WHERE a.run_id = $1 AND d.kind = 'model.call' ORDER BY a.step, a.attempt`,
    [uuidOf(run)],
  );
  const during = ({ from_ms, until_ms }: { from_ms: number; until_ms: number }) =>
    requests.filter(({ at }) => Date.parse(at) >= Math.floor(from_ms) && Date.parse(at) <= until_ms).map(({ n }) => n);
  return Object.fromEntries(attempts.map((attempt) => [attempt.at, during(attempt)]));
}
