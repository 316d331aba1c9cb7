import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { uuidOf, type RunId } from '../../src/domain/ids.js';
import { createOwnStack, type OwnStack } from '../stack/stack.js';
import { HANGS } from './deployment.js';
import { endOf, ended, ledgerOf, verdictOf, warrantsOf, type Verdict } from './evidence.js';
import { createFaultRig, type FaultRig } from './rig.js';
import { until } from './until.js';

/** Every sweep of the standing judge that succeeded, where the product keeps the last. */
const KEEP_BEATS = `
  CREATE SCHEMA kept;
  CREATE TABLE kept.beats (at timestamptz NOT NULL);
  CREATE FUNCTION kept.keep() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $keep$
    BEGIN INSERT INTO kept.beats VALUES (NEW.at); RETURN NULL; END $keep$;
  CREATE TRIGGER keep AFTER INSERT OR UPDATE ON audit.beats
    FOR EACH ROW WHEN (NEW.name = 'standing-judge') EXECUTE FUNCTION kept.keep();
  GRANT USAGE ON SCHEMA kept TO rok_audit`;

type Left = {
  readonly run: RunId;
  readonly verdict: Verdict;
  /** Sweeps that ended after finalize_due and before the verdict: one at most had begun too early to see that it was due. */
  readonly sweptBefore: number;
  /** And those that failed, of which the loop speaks. */
  readonly failed: readonly string[];
};

/** A run with its model call in flight when control and execute are killed, judged by what is left. */
async function orphaned(rig: FaultRig, harm: () => Promise<unknown>): Promise<Left> {
  await rig.terms('acme', '6 seconds', '2 seconds');
  await rig.stack.admin.query(KEEP_BEATS);
  const [auditor, working] = await Promise.all([rig.worker(['audit']), rig.worker(['control', 'execute'])]);
  await rig.start('rok/acme/left');
  const run = await rig.runOf('rok/acme/left');
  await rig.asked(1);
  await working.kill();
  await harm();
  const verdict = await verdictOf(rig.stack, run);
  const [row] = await rig.stack.admin.query<{ swept: number }>(
    `SELECT count(b.at)::int AS swept
     FROM audit.verdicts v JOIN audit.contracts c USING (run_id)
     LEFT JOIN kept.beats b ON b.at > c.finalize_due AND b.at < v.judged_at
     WHERE v.run_id = $1 AND v.revision = 1`,
    [uuidOf(run)],
  );
  const failed = auditor.lines.filter((line) => line.includes('a sweep failed'));
  return { run, verdict, sweptBefore: row?.swept ?? Infinity, failed };
}

/** As soon as it was due, by the judge's own rhythm, however long a busy machine takes over a sweep. */
function expectNoSweepMissedIt({ verdict, sweptBefore, failed }: Left): void {
  expect(verdict.afterDueMs).toBeGreaterThan(0);
  expect(sweptBefore).toBeLessThanOrEqual(1);
  expect(failed).toEqual([]);
}

/** The revision that has seen the late `finalize_run`. */
const saysLate = ({ blocking }: Verdict): boolean => blocking.includes('LATE orchestrator/finalize_run');
const stale = {
  status: 'STALE',
  revision: 1,
  blocking: ['MISSING orchestrator/finalize_run', 'MISSING policies/evaluate_policy'],
  notes: [],
  signed: true,
};

describe('the control worker is killed and nobody starts it again', () => {
  let rig: FaultRig;
  let left: Left;
  beforeAll(async () => {
    rig = await createFaultRig(HANGS);
    left = await orphaned(rig, () => Promise.resolve());
  }, 240_000);
  afterAll(() => rig.close());

  it('the run is STALE one sweep after finalize_due, by PostgreSQL and the audit worker alone', async () => {
    expect(left.verdict).toMatchObject(stale);
    expectNoSweepMissedIt(left);
    expect(await endOf(rig.stack, left.run)).toEqual({ phase: 'EXECUTING', outcome: null });
  });

  it('when control comes back at last, the run ends without being forgiven, whoever is first to end it', async () => {
    await rig.worker(['control', 'execute']);
    const { phase, outcome } = await ended(rig.stack, left.run, 60_000);
    expect(phase).toBe('FAILED');
    expect(['expired', 'forced']).toContain(outcome);
    const late = await verdictOf(rig.stack, left.run, saysLate);
    expect(late.status).toBe('STALE');
    const workflow = rig.client.workflow.getHandle('rok/acme/left');
    await until('the end of its workflow', async () =>
      (await workflow.describe()).status.name === 'RUNNING' ? null : true,
    );
  }, 120_000);
});

describe('the control worker is killed and Temporal is down as well', () => {
  let rig: FaultRig<OwnStack>;
  let left: Left;
  beforeAll(async () => {
    rig = await createFaultRig(HANGS, () => createOwnStack({ temporal: true }));
    left = await orphaned(rig, () => rig.stack.temporal?.stop() ?? Promise.reject(new Error('no Temporal')));
  }, 240_000);
  afterAll(() => rig.close());

  it('the run is STALE one sweep after finalize_due, by PostgreSQL and the audit worker alone', () => {
    expect(left.verdict).toMatchObject(stale);
    expectNoSweepMissedIt(left);
  });

  it('when all comes back but what Temporal knew, repair ends the run, and it stays STALE', async () => {
    const { stack } = rig;
    await rm(join(stack.folder, 'temporal.db'), { force: true });
    await stack.restartTemporal();
    await rig.worker(['control', 'execute']);
    expect(await ended(stack, left.run, 60_000)).toEqual({ phase: 'FAILED', outcome: 'forced' });
    const late = await verdictOf(stack, left.run, saysLate);
    expect(late).toMatchObject({
      status: 'STALE',
      blocking: [
        'LATE orchestrator/finalize_run',
        'MISSING orchestrator/finalize_run',
        'MISSING policies/evaluate_policy',
      ],
      signed: true,
    });
    const [call] = await warrantsOf(stack, left.run);
    expect(call).toMatchObject({ at: '1.1', state: 'forfeited', result: 'unknown' });
    expect(await ledgerOf(stack, left.run)).toEqual({ spent: call?.spent, reserved: 0n, over: 0n, drift: [] });
  }, 120_000);
});
