/** The promise: with PostgreSQL and one audit worker and nothing else, a run is judged by finalize_due plus one sweep. */
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { exportJWK, generateKeyPair } from 'jose';
import { createSigner } from '../../src/audit/receipts/signer.js';
import { runStandingJudge } from '../../src/audit/judge/standing-judge.js';
import { sweep, type SweepDeps } from '../../src/audit/reconcile/reconciler.js';
import { createMetrics } from '../../src/observe/metrics/metrics.js';
import { loadConfig } from '../../src/platform/config/config.js';
import type { OpenDatabase } from '../../src/platform/postgres/database.js';
import { createLogger } from '../../src/platform/logging.js';
import { temporalSettings } from '../../src/platform/temporal/temporal.js';
import { startAudit } from '../../src/workers/audit.js';
import { createOwnStack, type OwnStack } from '../stack/stack.js';
import { newRun } from './facts.js';
import { openAs } from './judged.js';

const INTERVAL_MS = 150;

let stack: OwnStack;
let audit: OpenDatabase;
let decide: OpenDatabase;
const errors: string[] = [];
/** When each sweep began and ended, milliseconds since the Unix epoch. */
const sweeps: { readonly began: number; readonly ended: number }[] = [];
async function noting<T>(sweeping: Promise<T>): Promise<T> {
  const began = Date.now();
  try {
    return await sweeping;
  } finally {
    sweeps.push({ began, ended: Date.now() });
  }
}
const stop = new AbortController();
let judging: Promise<void>;
beforeAll(async () => {
  stack = await createOwnStack();
  [audit, decide] = await Promise.all([openAs(stack, 'audit'), openAs(stack, 'decide')]);
  await stack.admin.query(
    `INSERT INTO audit.terms VALUES ('hasty', '*', '200 milliseconds', '300 milliseconds', '1 day')`,
  );
  const { privateKey } = await generateKeyPair('EdDSA', { crv: 'Ed25519', extractable: true });
  const signer = await createSigner({ ...(await exportJWK(privateKey)), kid: 'k' });
  const log = {
    info: () => undefined,
    warn: () => undefined,
    error: (fields: object) => void errors.push(JSON.stringify(fields)),
  };
  const deps: SweepDeps = { database: audit, signer, assertionKeys: null, log };
  judging = runStandingJudge(
    { sweep: () => noting(sweep(deps)), beat: () => Promise.resolve(), intervalMs: INTERVAL_MS, log },
    stop.signal,
  );
});
afterAll(async () => {
  stop.abort();
  await judging;
  await Promise.all([audit.close(), decide.close()]);
  await stack.drop();
});

async function declareHasty(): Promise<{ readonly run: string; readonly due: number }> {
  const run = newRun();
  const [row] = await decide.query<{ finalize_due: string }>(
    `SELECT finalize_due FROM audit.declare($1, 'hasty', 'desk', 'STRICT', NULL)`,
    [run],
  );
  return { run, due: Date.parse(row?.finalize_due ?? '') };
}

type Judged = { readonly status: string; readonly late: number; readonly signed: boolean };
async function verdictOf(run: string): Promise<Judged> {
  for (;;) {
    const [row] = await stack.admin.query<Judged>(
      `SELECT v.status, extract(epoch FROM v.judged_at - c.finalize_due)::float8 * 1000 AS late,
         EXISTS (SELECT FROM audit.receipts r WHERE r.run_id = v.run_id) AS signed
       FROM audit.v_verdicts v JOIN audit.contracts c USING (run_id) WHERE v.run_id = $1`,
      [run],
    );
    if (row?.signed === true) return row;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

describe('the standing judge', () => {
  it('rules STALE on a run that nobody closes, not before finalize_due and within one sweep after it, and signs it', async () => {
    const { run, due } = await declareHasty();
    const { status, late } = await verdictOf(run);
    expect(status).toBe('STALE');
    expect(late).toBeGreaterThan(0);
    // No whole sweep went by between its due time and its verdict.
    expect(sweeps.filter(({ began, ended }) => began > due && ended < due + late)).toEqual([]);
    const [row] = await stack.admin.query<{ findings: readonly { code: string; subject: string }[] }>(
      'SELECT findings FROM audit.v_verdicts WHERE run_id = $1',
      [run],
    );
    expect(row?.findings.map(({ code, subject }) => `${code} ${subject}`)).toEqual([
      'MISSING logs/start_trace',
      'MISSING orchestrator/finalize_run',
      'MISSING policies/evaluate_policy',
      'TRACE_BROKEN trace',
    ]);
  });

  it('outlives PostgreSQL: after an outage longer than every deadline it judges what fell due meanwhile', async () => {
    const { run, due } = await declareHasty();
    await stack.postgres.stop();
    const failed = errors.length;
    while (errors.length < failed + 2 || Date.now() < due + 200)
      await new Promise((resolve) => setTimeout(resolve, 20));
    await stack.restartPostgres();
    expect((await verdictOf(run)).status).toBe('STALE');
  });

  it('records when it last succeeded, as the audit worker starts it, with Temporal away', async () => {
    const env = {
      ROK_DATABASE_URL_AUDIT: stack.urls.audit,
      TEMPORAL_ADDRESS: '127.0.0.1:1',
      GOVERNANCE_PROFILE: 'STANDARD',
    };
    const metrics = createMetrics();
    const worker = await startAudit({
      config: loadConfig(env),
      temporal: temporalSettings(env),
      log: createLogger({ level: 'silent' }),
      metrics,
      sweepMs: INTERVAL_MS,
    });
    const beats = () => stack.admin.query<{ at: string }>(`SELECT at FROM audit.beats WHERE name = 'standing-judge'`);
    try {
      while ((await beats()).length === 0) await new Promise((resolve) => setTimeout(resolve, 20));
      const [first] = await beats();
      while ((await beats())[0]?.at === first?.at) await new Promise((resolve) => setTimeout(resolve, 20));
      expect(await stack.admin.query('SELECT profile FROM audit.deployment_profiles')).toEqual([
        { profile: 'STANDARD' },
      ]);
      expect(await metrics.text()).toMatch(/^rok_standing_judge_last_success_timestamp_seconds [1-9]/m);
    } finally {
      await worker.stop();
    }
  }, 60_000);
});
